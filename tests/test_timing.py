"""Stages of an answer, and whoever listens to them."""

from contextlib import contextmanager

from features.forgotten import Forgotten
from features.schemas import Brief
from models import ranker, timing
from service import wire
from service.reload import Served


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self):
        self.told = []

    @contextmanager
    def stage(self, name):
        self.told.append(name)
        yield

    def eligible(self, creators):
        self.told.append(creators)


def test_a_recommendation_goes_through_every_stage_in_order(trained_home):
    bundle = trained_home.trained.bundle
    asked = {"brand": {"name": "A"}, "query": "vegan skin care", "budget": {"amount": 2000}}
    asked["filters"] = {"follower_count": {"min": 10_000}}
    heard = Heard()
    with timing.listening(heard):
        answer = ranker.recommend(bundle, Brief.model_validate(asked))
        served = Served(trained_home.trained.version, bundle, wire.moment(0), Forgotten())
        wire.recommendation("r", served, answer)
    eligible = [one for one in heard.told if isinstance(one, int)]
    assert eligible == [answer.pool.eligible]
    stages = list(dict.fromkeys(one for one in heard.told if isinstance(one, str)))
    assert sorted(stages) == sorted(timing.STAGES)
    assert stages[:5] == list(timing.STAGES[:5]) and stages[-2:] == list(timing.STAGES[-2:])


def test_nobody_hears_what_is_outside():
    heard = Heard()
    with timing.listening(heard), timing.stage("filter"):
        timing.tell_eligible(3)
    with timing.stage("predict"):
        timing.tell_eligible(4)
    assert heard.told == ["filter", 3]
