"""Fine-tuning an encoder: which pairs it may see, that it learns them, and when it wins."""

import json
from dataclasses import replace

import numpy as np
import pytest

from features.encoders import HashEncoder, clean_text
from features.schemas import DataError, EncoderError
from features.text import load_encoder
from features.windows import MICROSECONDS_PER_DAY
from models.conversion import Labels
from models.registry import Registry
from tests.conftest import Silent, frames_of, tables_of
from training import finetune_train
from training.dataset import Rows, resolved, split_by_time
from training.finetune import facts_without_vectors, log, run
from training.finetune_judge import (
    DECIDES,
    FIGURES,
    GUARDS,
    JUDGED_POSTS,
    decide,
    held_out,
    judge,
    new_briefs,
)
from training.finetune_pairs import Pairs, TuneParams, make_pairs, worked
from training.finetune_taught import (
    NOTE,
    not_seen,
    rows_begun_since,
    seen_until_us,
)
from training.finetune_train import steps_of, tune
from training.settings import TrainingSettings
from training.simulate import simulate, write_world

PARAMS = TuneParams(max_tokens=16, batch_size=8, threads=1)
# Of the libraries that make the model, not of ours.
of_the_libraries = pytest.mark.filterwarnings("ignore")

NOUNS = {
    "garden": ("tulip", "compost", "spade", "seedling"),
    "kitchen": ("whisk", "oven", "dough", "recipe"),
    "engine": ("piston", "torque", "gearbox", "diesel"),
    "camera": ("lens", "aperture", "tripod", "shutter"),
    "fitness": ("squat", "barbell", "plank", "stretch"),
    "finance": ("budget", "index", "pension", "saving"),
    "makeup": ("mascara", "blush", "palette", "lipstick"),
    "travel": ("passport", "hostel", "flight", "luggage"),
}
FILLER = ("today", "my", "new", "really", "the", "with", "again", "some")


def rows_not_taught(encoder, rows):
    """As the pipeline leaves rows out."""
    return rows_begun_since(seen_until_us(encoder), rows, encoder)


@pytest.fixture(scope="module")
def world():
    return simulate(150, 31, posts_per_creator=12, months=12)


@pytest.fixture(scope="module")
def facts(world, tmp_path_factory):
    tables = tables_of(frames_of(world), tmp_path_factory.mktemp("finetune"))
    return facts_without_vectors(tables, "USD")


@pytest.fixture(scope="module")
def cut_us(facts):
    return split_by_time(resolved(facts)).test_from_us


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A model of one layer and random weights that knows some words and all letters."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    nouns = [*NOUNS, *(noun for each in NOUNS.values() for noun in each), *FILLER]
    pieces = [*letters, *(f"##{letter}" for letter in letters)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces, *nouns]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True)
    tokenizer.save_pretrained(folder / "bert")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=24)
    model = SentenceTransformer(
        modules=[transformer, Pooling(32, pooling_mode="mean")], device="cpu"
    )
    model.save(str(folder / "tiny"))
    return folder / "tiny"


def toy_pairs(seed, each=24):
    """Posts of a subject's words beside a brief that names it with another word of its own."""
    rng = np.random.default_rng(seed)
    briefs, posts = [], []
    for subject, nouns in NOUNS.items():
        for number in range(each):
            some = [*rng.choice(nouns, 2), *rng.choice(FILLER, 2)]
            briefs.append(f"{subject} {FILLER[number % 2]}")
            posts.append(" ".join(rng.permutation(some)) + f" {number}")
    none = np.zeros(len(briefs), dtype=np.int64)
    return Pairs(np.array(briefs, dtype=object), np.array(posts, dtype=object), none, none)


# ---------------------------------------------------------------- pairs


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_pair_knows_anything_later(facts, cut_us, seed):
    pairs = make_pairs(facts, cut_us, TuneParams(seed=seed))
    assert len(pairs) >= 100
    outcomes, posts = facts.outcomes, facts.posts
    assert (outcomes.resolved_us[pairs.outcome] < cut_us).all()
    assert (posts.timeline.time_us[pairs.place] < outcomes.started_us[pairs.outcome]).all()
    assert (posts.timeline.group[pairs.place] == outcomes.creator[pairs.outcome]).all()
    assert not posts.sponsored[pairs.place].any()


def test_what_comes_after_the_cut_changes_no_pair(facts, cut_us):
    outcomes = facts.outcomes
    later = outcomes.resolved_us >= cut_us
    rng = np.random.default_rng(0)
    other = replace(
        outcomes,
        conversions=np.where(later, rng.integers(0, 90, len(later)), outcomes.conversions),
        clicks=np.where(later, np.nan, outcomes.clicks),
        impressions=np.where(later, 10, outcomes.impressions),
    )
    pairs = make_pairs(facts, cut_us, TuneParams())
    again = make_pairs(replace(facts, outcomes=other), cut_us, TuneParams())
    assert later.any()
    assert again.digest == pairs.digest


def test_pairs_hang_on_the_seed_alone(facts, cut_us):
    pairs = make_pairs(facts, cut_us, TuneParams(seed=3))
    assert make_pairs(facts, cut_us, TuneParams(seed=3)).digest == pairs.digest
    assert make_pairs(facts, cut_us, TuneParams(seed=4)).digest != pairs.digest


def test_texts_are_as_encoders_get_them_and_none_comes_twice(facts, cut_us):
    pairs = make_pairs(facts, cut_us, TuneParams(posts_each=6))
    both = list(zip(pairs.brief, pairs.post, strict=True))
    assert len(set(both)) == len(both)
    assert all(brief == clean_text(brief) and post == clean_text(post) for brief, post in both)
    assert all(post for post in pairs.post)
    assert clean_text(facts.posts.text[pairs.place[7]]) == pairs.post[7]


def test_pairs_are_few_of_each_and_capped(facts, cut_us):
    few = make_pairs(facts, cut_us, TuneParams(posts_each=2))
    assert np.bincount(few.outcome).max() == 2
    capped = make_pairs(facts, cut_us, TuneParams(posts_each=2, max_pairs=50))
    assert len(capped) == 50
    assert set(zip(capped.brief, capped.post, strict=True)) <= set(
        zip(few.brief, few.post, strict=True)
    )


def rows_with(campaign, impressions, clicks, conversions):
    count = np.arange(len(campaign))
    labels = Labels(
        np.array(impressions), np.array(clicks, dtype=np.float64), np.array(conversions)
    )
    return Rows(count, np.array(campaign), np.empty((len(count), 0)), labels, count, count)


def test_what_worked_is_told_against_its_own_campaign():
    """The same creators in a campaign that sells ten times as much: the same ones worked."""
    little = [8, 2, 2, 0, 2]
    much = [80, 20, 20, 0, 20]
    seen = [20_000] * 4 + [200_000]
    rows = rows_with([0] * 5 + [1] * 5, seen * 2, [np.nan] * 10, little + much)
    assert worked(rows).tolist() == [True, True, True, False, False] * 2


def test_one_conversion_of_a_handful_seen_is_not_enough_where_one_was_due():
    rows = rows_with([0, 0, 0], [1_000, 1_000, 1_000], [np.nan] * 3, [1, 1, 1])
    assert not worked(rows).any()


def test_clicks_tell_where_nobody_converted_and_nowhere_else():
    clicks = [90, 30, 30, np.nan]
    rows = rows_with([0] * 4, [3_000] * 4, clicks, [0, 0, 0, 0])
    assert worked(rows).tolist() == [True, False, False, False]
    rows = rows_with([0] * 4, [3_000] * 4, clicks, [0, 0, 0, 3])
    assert worked(rows).tolist() == [False, False, False, True]


# ---------------------------------------------------------------- training


@of_the_libraries
def test_pairs_come_together_and_the_loss_falls(tiny, tmp_path):
    from sentence_transformers import SentenceTransformer

    params = replace(PARAMS, base=str(tiny), epochs=4, learning_rate=3e-3)
    pairs, unseen = toy_pairs(0), toy_pairs(1)
    steps = []
    tuned = tune(pairs, 0, params, tmp_path, steps.append)
    assert sum(steps) == steps_of(pairs, params) == len(tuned.loss)
    assert tuned.loss[-10:].mean() < 0.7 * tuned.loss[:10].mean()

    def apart(folder):
        """How much nearer a brief is to its own posts than to others, of pairs not trained on."""
        model = SentenceTransformer(str(folder), device="cpu")
        brief, post = (
            model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
            for texts in (unseen.brief, unseen.post)
        )
        cosine = brief @ post.T
        own = unseen.brief[:, np.newaxis] == unseen.brief
        return cosine[own].mean() - cosine[~own].mean()

    assert apart(tuned.folder) > apart(tiny) + 0.2


@of_the_libraries
def test_a_model_is_written_whole_and_made_once(tiny, tmp_path):
    params = replace(PARAMS, base=str(tiny))
    first = tune(toy_pairs(0), 1_700_000_000_000_000, params, tmp_path)
    assert [path.name for path in (tmp_path / "finetuned").iterdir()] == [first.folder.name]
    assert first.folder.name.startswith("tiny-")
    assert not list(first.folder.rglob("*checkpoint*"))
    note = json.loads((first.folder / NOTE).read_text("utf-8"))
    assert note["cut"] == "2023-11-14 22:13:20"
    steps = []
    again = tune(toy_pairs(0), 1_700_000_000_000_000, params, tmp_path, steps.append)
    assert again.folder == first.folder and not steps
    assert np.array_equal(again.loss, first.loss)
    other = tune(toy_pairs(1), 1_700_000_000_000_000, params, tmp_path)
    assert other.folder != first.folder


@of_the_libraries
def test_training_twice_gives_the_same_model(tiny, tmp_path):
    params = replace(PARAMS, base=str(tiny))
    folders = [tune(toy_pairs(0), 0, params, tmp_path / name).folder for name in ("a", "b")]
    weights = [(folder / "model.safetensors").read_bytes() for folder in folders]
    assert weights[0] == weights[1]


@of_the_libraries
def test_texts_are_cut_short_in_training_alone(tiny, tmp_path):
    from sentence_transformers import SentenceTransformer

    tuned = tune(toy_pairs(0), 0, replace(PARAMS, base=str(tiny), max_tokens=8), tmp_path)
    assert SentenceTransformer(str(tuned.folder), device="cpu").max_seq_length == 24


@of_the_libraries
def test_what_was_broken_off_leaves_nothing(tiny, tmp_path, monkeypatch):
    def full(model, folder):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(finetune_train, "_save", full)
    with pytest.raises(OSError, match="no space left"):
        tune(toy_pairs(0), 0, replace(PARAMS, base=str(tiny)), tmp_path)
    assert not list((tmp_path / "finetuned").iterdir())


def test_too_few_pairs_or_briefs_are_refused(tmp_path):
    pairs = toy_pairs(0)
    with pytest.raises(DataError, match=r"99 pairs .* needs 100 pairs"):
        tune(pairs.take(np.arange(99)), 0, PARAMS, tmp_path)
    few = np.flatnonzero(np.isin(pairs.brief, sorted(set(pairs.brief))[:7]))
    with pytest.raises(DataError, match=r"of 7 briefs.* 8 briefs"):
        tune(pairs.take(np.repeat(few, 3)), 0, PARAMS, tmp_path)
    assert not (tmp_path / "finetuned").exists()


@of_the_libraries
def test_a_base_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(EncoderError, match="use-multilingual-v3: no model to fine-tune"):
        tune(toy_pairs(0), 0, replace(PARAMS, base="use-multilingual-v3"), tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError, match="no sentence-transformers model could be loaded"):
        tune(toy_pairs(0), 0, replace(PARAMS, base=str(tmp_path / "empty")), tmp_path)
    assert not list((tmp_path / "finetuned").iterdir())


# ---------------------------------------------------------------- what was taught


def noted(folder, note):
    """A folder with a fine-tuned model's note, and no model."""
    folder.mkdir(exist_ok=True)
    (folder / NOTE).write_text(json.dumps(note), "utf-8")
    return str(folder)


@of_the_libraries
def test_a_tuned_model_says_what_it_has_seen_and_is_no_base_for_an_earlier_cut(tiny, tmp_path):
    day_us = MICROSECONDS_PER_DAY
    seen = str(tune(toy_pairs(0), 10 * day_us, replace(PARAMS, base=str(tiny)), tmp_path).folder)
    assert seen_until_us(seen) == 10 * day_us
    assert seen_until_us(str(tiny)) is None
    not_seen(seen, 10 * day_us)
    with pytest.raises(
        EncoderError, match=r"until 1970-01-11 .* judged on campaigns from 1970-01-"
    ):
        tune(toy_pairs(0), 9 * day_us, replace(PARAMS, base=seen), tmp_path)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_no_row_that_is_left_is_of_a_campaign_that_was_taught(facts, tmp_path, share):
    every, outcomes = resolved(facts), facts.outcomes
    cut_us = int(np.quantile(every.started_us, share))
    left = rows_not_taught(noted(tmp_path / "tuned", {"cut_us": cut_us}), every)
    assert np.array_equal(rows_begun_since(cut_us, every, "of a bundle").outcome, left.outcome)
    pairs = make_pairs(facts, cut_us, TuneParams())
    campaign = outcomes.campaign_id
    assert len(pairs) and len(left)
    assert not set(campaign[pairs.outcome]) & set(campaign[left.outcome])
    assert left.started_us.min() >= cut_us
    # Nothing else is lost: every campaign that began since is whole.
    began_before = set(campaign[every.outcome[every.started_us < cut_us]])
    others = [name not in began_before for name in campaign[every.outcome]]
    assert np.array_equal(left.outcome, every.outcome[others])


def test_rows_keep_their_features_and_an_encoder_of_no_outcomes_keeps_all_rows(facts, tmp_path):
    rows = resolved(facts)
    rows = replace(rows, matrix=np.random.default_rng(0).normal(size=(len(rows), 3)))
    for encoder in ("hash", "use-multilingual-v3", str(tmp_path)):
        assert rows_not_taught(encoder, rows) is rows
    cut_us = int(np.median(rows.started_us))
    left = rows_not_taught(noted(tmp_path / "tuned", {"cut_us": cut_us}), rows)
    place = [list(rows.outcome).index(outcome) for outcome in left.outcome]
    assert 0 < len(left) < len(rows)
    assert np.array_equal(left.matrix, rows.matrix[place])
    assert np.array_equal(left.labels.conversions, rows.labels.conversions[place])


def test_an_encoder_that_has_seen_every_campaign_is_refused(facts, tmp_path):
    rows = resolved(facts)
    tuned = noted(tmp_path / "tuned", {"cut_us": int(rows.started_us.max()) + 1})
    with pytest.raises(EncoderError, match=r"none of the [\d,]+ resolved sponsorships"):
        rows_not_taught(tuned, rows)
    none = rows.take(np.arange(0))
    assert len(rows_not_taught(tuned, none)) == 0


@pytest.mark.parametrize("note", [{}, {"cut_us": "soon"}, {"cut_us": None}, []])
def test_a_note_that_does_not_say_the_cut_is_no_licence(facts, tmp_path, note):
    with pytest.raises(EncoderError, match="does not say what the encoder has seen"):
        rows_not_taught(noted(tmp_path / "tuned", note), resolved(facts))


# ---------------------------------------------------------------- judging


def test_judged_are_later_campaigns_by_what_came_before_them(facts, cut_us):
    held = held_out(facts, cut_us, 0)
    outcomes, posts = facts.outcomes, facts.posts
    pairs = make_pairs(facts, cut_us, TuneParams())
    judged = outcomes.campaign_id[held.rows.outcome]
    assert not set(judged) & set(outcomes.campaign_id[pairs.outcome])
    assert (held.rows.started_us >= cut_us).all()
    assert (posts.timeline.time_us[held.posts.index] < held.asks.as_of_us[held.posts.row]).all()
    assert (posts.timeline.group[held.posts.index] == held.asks.creator[held.posts.row]).all()
    assert (posts.timeline.time_us[held.earlier] < cut_us).all()
    assert not posts.sponsored[np.append(held.posts.index, held.earlier)].any()
    assert np.diff(held.posts.indptr).max() == JUDGED_POSTS
    chosen = set(zip(held.campaign[: len(held.rows)], held.asks.creator, strict=False))
    drawn = set(
        zip(held.campaign[len(held.rows) :], held.asks.creator[len(held.rows) :], strict=True)
    )
    assert drawn and not chosen & drawn


def test_campaigns_of_briefs_that_no_pair_has_are_counted(facts, cut_us):
    held, pairs = held_out(facts, cut_us, 0), make_pairs(facts, cut_us, TuneParams())
    assert new_briefs(facts, held, pairs.take(np.arange(0))) == held.campaigns
    taught = replace(pairs, brief=np.array(list(map(clean_text, facts.brief_text)), dtype=object))
    assert new_briefs(facts, held, taught) == 0
    one = clean_text(facts.brief_text[held.brief[0]])
    same = [
        row
        for row in set(zip(held.campaign, held.brief, strict=True))
        if clean_text(facts.brief_text[row[1]]) == one
    ]
    taught = replace(pairs, brief=np.array([one], dtype=object))
    assert new_briefs(facts, held, taught) == held.campaigns - len(same)


class Knowing:
    """Knows of every text which subject it is of; the others lie apart."""

    name, digest, dim = "knowing", "k0", 64

    def __init__(self, subject):
        self.subject = subject

    def encode(self, texts):
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        out[np.arange(len(texts)), [self.subject[text] for text in texts]] = 1.0
        return out


def test_who_was_chosen_is_found_by_an_encoder_that_knows(facts, cut_us, tmp_path):
    """Posts of each campaign's creators are given its brief's very own direction."""
    held = held_out(facts, cut_us, 0)
    numbers = np.unique(held.rows.campaign)[:1]
    here = np.flatnonzero(np.isin(held.rows.campaign, numbers))
    chosen = set(held.asks.creator[here])
    brief = facts.brief_text[held.brief[here[0]]]
    subject = dict.fromkeys(facts.brief_text, 2) | {brief: 1}
    for text, creator in zip(facts.posts.text, facts.posts.timeline.group, strict=True):
        subject[text] = 1 if creator in chosen else subject.get(text, 0)
    first = {
        name: values[0] for name, values in judge(facts, held, Knowing(subject), tmp_path).items()
    }
    assert first["auc_cosine"] > 0.95
    assert first["auc_projected"] > 0.95


def test_the_cosine_is_that_of_the_mean_post(facts, cut_us, tmp_path):
    held = held_out(facts, cut_us, 0)
    encoder, seen = HashEncoder(32), []
    values = judge(facts, held, encoder, tmp_path, seen.append)
    assert 0 < sum(seen) <= len(held.needed)
    assert list(values) == list(FIGURES)
    for place, number in enumerate(np.unique(held.rows.campaign)):
        here = np.flatnonzero(held.campaign == number)
        scores, chosen = [], []
        for row in here:
            posts = held.posts.index[held.posts.indptr[row] : held.posts.indptr[row + 1]]
            total = encoder.encode(list(facts.posts.text[posts])).sum(axis=0)
            brief = encoder.encode([facts.brief_text[held.brief[row]]])[0]
            scores.append(total @ brief / np.linalg.norm(total) if len(posts) else -2.0)
            chosen.append(row < len(held.rows))
        scores, chosen = np.array(scores), np.array(chosen)
        pairs = scores[chosen][:, np.newaxis] - scores[~chosen]
        wanted = (pairs > 1e-9).mean() + (np.abs(pairs) <= 1e-9).mean() / 2
        assert values["auc_cosine"][place] == pytest.approx(wanted, abs=1e-3)


def test_too_few_later_campaigns_are_refused(facts):
    last = int(facts.outcomes.started_us.max()) - 5 * MICROSECONDS_PER_DAY
    with pytest.raises(DataError, match=r"campaigns began at .* 8 are needed"):
        held_out(facts, last, 0)


# ---------------------------------------------------------------- verdict


def figures_of(seed, gain, auc_gain=0.0, size=40):
    rng = np.random.default_rng(seed)
    level = np.clip(rng.normal(0.6, 0.15, size), 0, 1)
    noise = rng.normal(0, 0.02, size)
    one = dict.fromkeys(FIGURES, level)
    return one | {DECIDES: level + gain + noise, GUARDS: level + auc_gain + noise}, one


def test_it_wins_where_it_is_better_and_not_where_it_is_the_same():
    better, base = figures_of(0, 0.05)
    verdict = decide(better, {"base": base, "in use": base}, 0)
    assert verdict.wins and verdict.words.startswith("wins on 40 campaigns")
    assert verdict.differences["base"][DECIDES].value == pytest.approx(0.05, abs=0.01)
    same = decide(base, {"base": base}, 0)
    assert not same.wins and same.words.startswith("does not win")


def test_it_must_beat_every_other():
    mine, base = figures_of(1, 0.05)
    strong = {name: values + 0.1 for name, values in base.items()}
    verdict = decide(mine, {"base": base, "strong": strong}, 0)
    assert not verdict.wins
    assert "against strong, NDCG@10 of the projected similarity -0.05" in verdict.words


def test_finding_the_chosen_worse_loses():
    mine, base = figures_of(2, 0.05, auc_gain=-0.05)
    assert not decide(mine, {"base": base}, 0).wins


def test_campaigns_are_paired_and_those_that_tell_nothing_left_out():
    mine, base = figures_of(3, 0.02)
    mine[DECIDES][:5] = np.nan
    verdict = decide(mine, {"base": base}, 0)
    assert verdict.wins
    assert "on 35 campaigns" in verdict.words
    # Unpaired, the spread between campaigns of 0.15 would hide a gain of 0.02.
    assert verdict.differences["base"][DECIDES].high < 0.04


# ---------------------------------------------------------------- the run


@of_the_libraries
def test_a_run_from_tables_to_verdict_and_into_the_registry(world, tiny, tmp_path):
    write_world(world, tmp_path / "world")
    settings = TrainingSettings(home=tmp_path / "home", encoder="hash", threads=1)
    report = Silent()
    found = run(settings, str(tmp_path / "world"), report, replace(PARAMS, base=str(tiny)))
    encoder = load_encoder(str(found.folder), settings.home)
    assert encoder.digest == found.digest == found.tags["encoder_digest"]
    assert set(found.verdict.figures) == {"fine-tuned", "tiny", "hash"}
    assert found.metrics[DECIDES] == found.verdict.figures["fine-tuned"][DECIDES].value
    assert found.metrics[f"{DECIDES}_in_use"] == found.verdict.figures["hash"][DECIDES].value
    assert found.tags["wins"] == str(found.verdict.wins).lower()
    assert any(found.verdict.words in line for line in report.said)

    registry = Registry(settings.registry_uri, settings.artifacts)
    logged = registry.client.get_run(log(registry, found))
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics == found.metrics
    assert logged.data.params == {name: str(value) for name, value in found.params.items()}
    assert found.tags.items() <= logged.data.tags.items()
    (file,) = registry.client.list_artifacts(logged.info.run_id, "finetuned")
    assert file.path == f"finetuned/{NOTE}"
    assert registry.champion() is None


def test_a_run_on_too_little_or_beside_an_encoder_that_knows_what_came_is_refused(tmp_path):
    write_world(simulate(20, 3, posts_per_creator=4, months=6), tmp_path / "world")
    settings = TrainingSettings(home=tmp_path / "home", encoder="hash", threads=1)
    with pytest.raises(DataError, match="fine-tuning needs 100 pairs"):
        run(settings, str(tmp_path / "world"), Silent())
    knows = noted(tmp_path / "knows", {"cut_us": 4_000_000_000_000_000})
    settings = settings.model_copy(update={"encoder": knows})
    with pytest.raises(EncoderError, match="cannot be judged on campaigns from"):
        run(settings, str(tmp_path / "world"), Silent())
    assert not (tmp_path / "home" / "finetuned").exists()
