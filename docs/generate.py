"""Writes the pages that are made from the code: ``python -m docs.generate``.

The data contract from `features.schemas`, the features from `features.catalogue`, the API from its
OpenAPI description. Knows nothing of what any of it means beyond what the code says.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from docs.personal import COLUMNS, PLACES, TITLES
from features.catalogue import FEATURES
from features.schemas import (
    CODE_NAMES,
    DEFAULT_RESOLVE_DAYS,
    FAULTS_SHOWN,
    KEYS,
    REQUIRED_TABLES,
    TABLES,
    TIERS,
    Column,
)
from service.app import create_app
from service.settings import ServiceSettings

FOLDER = Path(__file__).parent
MADE = "<!-- Made by `make docs` from the code; edit that instead. -->"

TABLE_NOTES = {
    "creators": "One row a creator account.",
    "posts": "One row a post.",
    "sponsorships": "One row a paid or gifted collaboration, with what came of it.",
    "audience": "Who follows a creator: one row a share.",
    "followers": "Counts of followers over time.",
}
# What a column means beyond its type; a test asks for one of each.
COLUMN_NOTES = {
    "creators": {
        "creator_id": "any id of yours that stays the same",
        "platform": "one account on one platform is one creator",
        "handle": "the name people write to",
        "follower_count": "empty where unknown: absent is not 0",
        "display_name": "shown to people, not learned from",
        "bio": "kept, not learned from",
        "url": "link to the account",
        "country": "where the creator is",
        "language": "what the creator speaks",
        "price_per_post": "in `currency`; no price is not a price of 0",
        "currency": "of the price",
        "accepts_gifting": "takes a product instead of money",
        "niche": "a label that a person gave; trains and tests the niche model",
    },
    "posts": {
        "post_id": "any id of yours",
        "creator_id": "must exist in creators",
        "published_at": "when it went up",
        "text": "caption or title, in any language",
        "likes": "on the day of the export",
        "comments": "on the day of the export",
        "views": "absent is not 0",
        "shares": "absent is not 0",
        "saves": "absent is not 0",
        "url": "link to the post, shown as evidence",
        "is_sponsored": "where absent, read from the text: disclosures, codes, partnership tags",
        "sponsor": "the brand, where known",
    },
    "sponsorships": {
        "sponsorship_id": "any id of yours; outcomes sent later replace a row by it",
        "creator_id": "must exist in creators",
        "campaign_id": "collaborations of one campaign share it",
        "brand": "who paid",
        "brief": "what the brand asked for, in words",
        "started_at": "what was known before it is what is learned from",
        "resolved_at": f"when the outcome was final; default {DEFAULT_RESOLVE_DAYS} days later",
        "cost": "what it cost",
        "impressions": "how often it was shown",
        "clicks": "at most impressions",
        "conversions": "at most clicks where those are known, else impressions",
        "revenue": "what it brought",
        "post_id": "the post it became",
        "recommendation_id": "the answer that it came of",
    },
    "audience": {
        "creator_id": "must exist in creators",
        "dimension": "what the share is of",
        "code": "such as US, 25-34, female, en or fitness",
        "share": "of the audience",
    },
    "followers": {
        "creator_id": "must exist in creators",
        "observed_at": "when it was counted",
        "follower_count": "what was counted",
    },
}
TYPES = {
    "text": "text",
    "integer": "integer ≥ 0",
    "number": "number ≥ 0",
    "share": "number in [0, 1]",
    "boolean": "boolean",
    "time": "time",
}


def data_page() -> str:
    """The data contract as Markdown."""
    parts = [
        "# The data contract",
        MADE,
        "A data set is a folder (or an SQL URL) that holds tables. A table is one file, "
        "`NAME.parquet`, `NAME.csv`, `NAME.csv.gz`, `NAME.jsonl` or `NAME.jsonl.gz`, or a folder "
        "`NAME/` of such files. Times are ISO 8601; one without a zone is UTC. Columns not named "
        "here are kept out, with a warning.",
        "What breaks the contract is refused before anything is trained or changed: every fault by "
        f"table, row, column, value and reason (the first {FAULTS_SHOWN} of each kind, and the "
        "count), and exit status 2. `--on-invalid quarantine` sets such rows aside in "
        "`HOME/quarantine` instead, and says how many.",
        "```sh\npython -m training validate DIR\n```",
    ]
    for name, columns in TABLES.items():
        must = "must be there" if name in REQUIRED_TABLES else "may be there"
        keys = ", ".join(f"`{key}`" for key in KEYS[name])
        parts.append(f"## {name}")
        parts.append(f"{TABLE_NOTES[name]} The table {must}. No two rows share {keys}.")
        rows = [
            (f"`{column}`", _type(kind), _need(kind), COLUMN_NOTES[name][column])
            for column, kind in columns.items()
        ]
        parts.append(_table(("column", "type", "", "what it is"), rows))
    tiers = ", ".join(f"{name} from {floor:,}" for name, floor in TIERS)
    parts.append(f"## Size tiers\n\nBy followers: {tiers}.")
    return "\n\n".join(parts) + "\n"


def _type(column: Column) -> str:
    if column.choices is not None:
        return "one of " + ", ".join(column.choices)
    if column.code is not None:
        return CODE_NAMES[column.code].split(" ", 1)[1]
    return TYPES[column.type] + (", not later than now" if column.past else "")


def _need(column: Column) -> str:
    if column.required:
        return "required, may be empty" if column.may_be_empty else "required"
    if column.default is not None:
        return f"default {column.default}"
    return "expected" if column.expected else "optional"


def features_page() -> str:
    """Every feature as Markdown, by family."""
    parts = [
        "# The features",
        MADE,
        f"{len(FEATURES)} columns of one matrix, the same in training and in serving. Each is "
        "computed as of the moment of the ask: what was not known then does not exist. A value "
        "that is not known is missing, never 0. A window of 90 days holds what happened in the 90 "
        "days before that moment. `evaluate` says what each family is worth on your data.",
    ]
    for family in dict.fromkeys(feature.family for feature in FEATURES):
        of_it = [feature for feature in FEATURES if feature.family == family]
        rows = [(f"`{one.name}`", one.label, one.unit, one.formula, one.source) for one in of_it]
        parts.append(f"## {family.capitalize()}")
        parts.append(_table(("name", "called", "unit", "formula", "from"), rows))
    return "\n\n".join(parts) + "\n"


def api_page() -> str:
    """The API as Markdown, from its OpenAPI description."""
    spec = create_app(ServiceSettings()).openapi()
    schemas: dict[str, Any] = spec["components"]["schemas"]
    parts = [
        "# The API",
        MADE,
        "JSON in, JSON out, on http://127.0.0.1:8000 unless told otherwise; `GET /docs` is the "
        "same to try out. A field that is not named here is an error, not ignored. Errors are "
        "problem documents (RFC 9457, `application/problem+json`) whose `errors` name each field "
        "by JSON pointer.",
    ]
    for path, methods in spec["paths"].items():
        for method, route in methods.items():
            parts += _route(method.upper(), path, route, schemas)
    parts.append("## Objects")
    for name in sorted(schemas):
        if name not in ("HTTPValidationError", "ValidationError") and "properties" in schemas[name]:
            parts.append(f"### {name}")
            told = _sentence(schemas[name].get("description", ""))
            parts += [told] if told else []
            parts.append(_fields(schemas[name]))
    return "\n\n".join(parts) + "\n"


def _route(method: str, path: str, route: Mapping[str, Any], schemas: Any) -> Iterator[str]:
    yield f"## {method} {path}"
    yield f"{route['summary']}. {_sentence(route.get('description', ''))}".strip()
    parameters = [
        (
            f"`{one['name']}`",
            one["in"],
            _kind(one["schema"]),
            "required" if one.get("required") else _default(one["schema"]),
            one.get("description", ""),
        )
        for one in route.get("parameters", [])
    ]
    if parameters:
        yield _table(("parameter", "in", "type", "", "what it is"), parameters)
    body = route.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        yield f"Send {_kind(body['schema'])}:" if "$ref" in body["schema"] else "Send:"
        for example in _examples(body):
            yield f"```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```"
    answers = []
    for status, answer in route["responses"].items():
        content: dict[str, Any] = next(iter(answer.get("content", {}).values()), {})
        told = answer.get("description", "")
        kind = _kind(content["schema"]) if content.get("schema") else ""
        answers.append((status, "" if kind == "HTTPValidationError" else kind, told))
    yield _table(("status", "answers", ""), answers)


def _examples(body: Mapping[str, Any]) -> list[Any]:
    named = [one["value"] for one in body.get("examples", {}).values()]
    return named or list(body["schema"].get("examples", []))[:2]


def _fields(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        (
            f"`{name}`",
            _kind(kind),
            "required" if name in required else _default(kind),
            kind.get("description", ""),
        )
        for name, kind in schema["properties"].items()
    ]
    return _table(("field", "type", "", "what it is"), rows)


def _kind(schema: Mapping[str, Any]) -> str:
    """A JSON schema in a few words, with a link to an object's fields."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return name if name == "HTTPValidationError" else f"[{name}](#{name.lower()})"
    several = schema.get("anyOf") or schema.get("oneOf")
    if several:
        return " or ".join(dict.fromkeys(_kind(one) for one in several))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}" + _limits(schema, "Items")
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(schema.get("format", kind)) + _limits(schema, "Length") + _limits(schema, "imum")


def _limits(schema: Mapping[str, Any], of: str) -> str:
    low, high = schema.get(f"min{of}"), schema.get(f"max{of}")
    told = [f"≥ {low:g}"] if low is not None else []
    told += [f"≤ {high:g}" if high < 1e6 else f"≤ {high:,}"] if high is not None else []
    unit = {"Items": " items", "Length": " characters", "imum": ""}[of]
    return f" ({', '.join(told)}{unit})" if told else ""


def _default(schema: Mapping[str, Any]) -> str:
    value = schema.get("default")
    if isinstance(value, dict):
        return "optional"  # an object's own fields say their defaults
    return "optional" if value in (None, [], "") else f"default `{json.dumps(value)}`"


def _sentence(text: str) -> str:
    return " ".join(text.split())


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(_sentence(cell).replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(titles), "|" + "---|" * len(titles), *(line(row) for row in rows)])


def personal_page() -> str:
    """What is kept of people, as Markdown."""
    parts = [
        "# What is kept of people",
        "<!-- Made by `make docs` from docs/personal.py; edit that instead. -->",
        "Every column that the product stores: whether it is personal, and why it is kept. Tables "
        "that are read, and exports of them, are yours. [How it works](how.md#personal-data) says "
        "what forgetting does.",
    ]
    for place, columns in COLUMNS.items():
        title = TITLES.get(place, f"The database's table `{place}`")
        long, deleted = PLACES[place]
        parts.append(f"## {title}")
        if place != "files":
            parts.append(f"Kept {long}. Deleted: {deleted}.")
        rows = [(f"`{name}`", whose, why) for name, (whose, why) in columns.items()]
        parts.append(_table(("what", "personal", "why"), rows))
    return "\n\n".join(parts) + "\n"


PAGES = {
    "personal.md": personal_page,
    "data.md": data_page,
    "features.md": features_page,
    "api.md": api_page,
}


def main() -> None:
    """Write every page; with --check, only say which differ, and exit with 1 where any does."""
    parser = argparse.ArgumentParser(description="Write the pages that are made from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    old = []
    for name, page in PAGES.items():
        path, text = FOLDER / name, page()
        if not path.exists() or path.read_text("utf-8") != text:
            old.append(name)
            if not check:
                path.write_text(text, "utf-8")
    print(f"{'old' if check else 'written'}: {', '.join(old) or 'nothing'}")
    if check and old:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
