"""Alert rules, dashboard and runbooks name what there is, and each other."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from service.metrics import Metrics

ROOT = Path(__file__).parents[1]
RULES = ROOT / "deploy" / "alerts.yaml"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
RUNBOOKS = ROOT / "docs" / "runbooks"
METRIC = re.compile(r"\bcreatorfit_[a-z_]+")
CHOSEN = re.compile(r"\b(creatorfit_[a-z_]+)\{([^}]*)\}")
LABEL = re.compile(r'([a-z_]+)(?:=~|!~|!=|=)"')
OF_THE_SCRAPE = {"job", "instance"}


def alerts():
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard():
    return json.loads(DASHBOARD.read_text())


def queries():
    return [t["expr"] for panel in dashboard()["panels"] for t in panel.get("targets", [])]


@pytest.fixture(scope="module")
def exposed():
    """Every series there can be, with its type and its labels."""
    metrics = Metrics()
    labels = {
        metric._name: set(metric._labelnames)
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
    }
    found = {}
    for family in metrics.registry.collect():
        names = {
            "histogram": [f"{family.name}{end}" for end in ("_bucket", "_sum", "_count")],
            "counter": [f"{family.name}_total"],
        }.get(family.type, [family.name])
        found |= dict.fromkeys(names, (family.type, labels[family.name]))
    return found


def test_every_alert_says_how_grave_it_is_and_what_it_means():
    names = [alert["alert"] for alert in alerts()]
    assert len(names) == len(set(names)) >= 10
    for alert in alerts():
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert len(alert["annotations"]["summary"]) > 15
        assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{alert['alert']}.md"


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {alert["alert"] for alert in alerts()}


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_a_runbook_says_all_that_one_needs_on_one_page(page, exposed):
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    parts = ("**Means**", "**Users notice**", "**Look**", "**Do**", "**Over when**")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert len(text.splitlines()) <= 50
    assert set(METRIC.findall(text)) <= exposed.keys()
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / target).exists(), target


def test_queries_ask_for_what_is_told(exposed):
    asked = [*(alert["expr"] for alert in alerts()), *queries()]
    assert len(asked) > 30
    for query in asked:
        assert set(METRIC.findall(query)) <= exposed.keys(), query
        for name, chosen in CHOSEN.findall(query):
            assert set(LABEL.findall(chosen)) <= exposed[name][1] | OF_THE_SCRAPE, query


def test_every_metric_is_on_the_dashboard(exposed):
    shown = set(METRIC.findall(" ".join(queries())))
    for name, (kind, _) in exposed.items():
        if kind == "histogram":
            base = name.rsplit("_", 1)[0]
            assert any(one.startswith(base) for one in shown), name
        else:
            assert name in shown


def test_the_dashboard_can_be_imported_anywhere():
    board = dashboard()
    sources = [
        place["datasource"]
        for panel in board["panels"]
        for place in [panel, *panel.get("targets", [])]
        if panel["type"] != "row"
    ]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    variables = {one["name"] for one in board["templating"]["list"]}
    assert variables == {"datasource", "job", "instance"}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    assert all('job="$job",instance=~"$instance"' in query for query in queries())


def promtool(*arguments):
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool, of Debian's package prometheus")
    done = subprocess.run(
        ["promtool", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_queries_are_promql(tmp_path):
    promtool("check", "rules", str(RULES))
    # What the dashboard asks, as rules that record it; its variables filled in.
    filled = [query.replace("$__rate_interval", "1m") for query in queries()]
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(filled)]
    path = tmp_path / "queries.yaml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(path))


def test_alerts_fire_when_they_should_and_only_then():
    promtool("test", "rules", "tests/alerts_test.yaml")


def test_every_alert_is_seen_to_fire_and_not_to():
    cases = yaml.safe_load((ROOT / "tests" / "alerts_test.yaml").read_text())["tests"]
    tried = [one for case in cases for one in case["alert_rule_test"]]
    fire = {one["alertname"] for one in tried if one.get("exp_alerts")}
    silent = {one["alertname"] for one in tried if not one.get("exp_alerts")}
    assert fire == silent == {alert["alert"] for alert in alerts()}
