"""What is kept of people, column by column: the words of docs/personal.md.

A test holds it against the database's tables and the files of a bundle: whoever adds a column says
here whether it is personal, and why it is kept. Knows nothing of how any of it is written.
"""

from __future__ import annotations

# Of each place: how long it is kept, and how it is deleted.
PLACES = {
    "bundle": (
        "until the version is deleted in MLflow; `HOME/bundles` holds those that were served",
        "`forget` writes every bundle anew without the creator",
    ),
    "recommendations": (
        "`CREATORFIT_KEEP_SERVED_DAYS`, 400 by default; longer while its campaign runs",
        "by itself in time, and by `prune`; `forget` writes over names in briefs and plans",
    ),
    "served": ("as `recommendations`", "with them; `forget` takes the creator's rows out"),
    "outcomes": ("for good: they are what is learned from", "`forget` deletes the creator's"),
    "outcome_history": ("as `outcomes`", "`forget` deletes the creator's"),
    "access_keys": ("for good", "people are no creators: not by `forget`"),
    "changes": ("for good", "never, but for what `forget` writes over"),
    "files": ("as each says", "as each says"),
}

# Of each column: whether it is of a creator, of a person who uses the service, or of nobody; why.
CREATOR, USER, NOBODY = "of a creator", "of a user", "no"
COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "bundle": {
        "creators": (CREATOR, "id, handle, name, bio, link, price, country, language: to show"),
        "evidence": (CREATOR, "the latest posts, their texts, links and vectors: to show why"),
        "year": (CREATOR, "posts of the last year that carry a risk: brand safety"),
        "words": (CREATOR, "words of the last year's posts: the brand's own terms"),
        "collaborations": (CREATOR, "past sponsorships and what came of them: to show"),
        "months": (CREATOR, "engagement, followers and posts by month: to show"),
        "audience": (CREATOR, "shares of the audience, no single follower: filters, overlap"),
        "audience_language": (CREATOR, "what the audience reads: a feature"),
        "about": (CREATOR, "niches of past collaborations: a feature"),
        "ads": (CREATOR, "past advertisements: fatigue, filters"),
        "best": (CREATOR, "the topics of the posts that did best: a feature"),
        "brief_subject": (CREATOR, "what past briefs were about: a feature"),
        "clicks": (CREATOR, "past clicks: a feature"),
        "conversions": (CREATOR, "past conversions: a feature"),
        "outcomes": (CREATOR, "past outcomes: features"),
        "totals": (CREATOR, "sums of past outcomes: features"),
        "followers": (CREATOR, "count: filters, tiers"),
        "last_post_us": (CREATOR, "when the last post was: a filter"),
        "leading": (CREATOR, "leading niche: to show, a filter"),
        "mix": (CREATOR, "niches: to show, features"),
        "niche_values": (CREATOR, "engagement within a niche: features"),
        "posts_language": (CREATOR, "language of the posts: a feature"),
        "price": (CREATOR, "of a post: filters, plans"),
        "speaks": (CREATOR, "languages: a filter"),
        "subject": (CREATOR, "topics in short: features"),
        "topic_share": (CREATOR, "how much of the posts each topic is"),
        "topics": (CREATOR, "vectors of topics: match, lookalikes"),
        "values": (CREATOR, "engagement, trust, growth and other features"),
        "search.faiss": (CREATOR, "vectors by which candidates are found"),
        "moment": (NOBODY, "the moment that the bundle answers about"),
        "index.json": (NOBODY, "what the files of the index are"),
        "search.safetensors": (NOBODY, "weights of the search"),
        "choice.txt": (NOBODY, "a model over all creators"),
        "clicks.txt": (NOBODY, "a model over all creators"),
        "conversions.txt": (NOBODY, "a model over all creators"),
        "reach.txt": (NOBODY, "a model over all creators"),
        "judged": (NOBODY, "the models that were judged"),
        "niche.safetensors": (NOBODY, "weights of the niche model"),
        "projection.safetensors": (NOBODY, "weights of the projection"),
        "manifest.json": (NOBODY, "what made the bundle; digests of its files"),
        "probes.json": (CREATOR, "briefs and their answers, by id: checked before it serves"),
    },
    "recommendations": {
        "recommendation_id": (NOBODY, "key"),
        "kind": (NOBODY, "a list or a plan"),
        "served_at_us": (NOBODY, "off-policy, retention"),
        "brief": (CREATOR, "what was asked; may name creators: audit"),
        "brand": (NOBODY, "completes outcomes"),
        "run_id": (NOBODY, "which bundle answered: audit"),
        "model_version": (NOBODY, "the same"),
        "as_of_us": (NOBODY, "the moment that was answered about: audit"),
        "campaign_id": (NOBODY, "campaign reports"),
        "plan": (CREATOR, "whom to book, with handles: campaign reports"),
    },
    "served": {
        "recommendation_id": (NOBODY, "key"),
        "candidates": (CREATOR, "ids, places, features, estimates: audit, off-policy, forecasts"),
    },
    "access_keys": {
        "key_id": (USER, "who asked, in the log"),
        "name": (USER, "what its owner is called"),
        "scopes": (NOBODY, "what it is good for"),
        "digest": (NOBODY, "to know it again; the key itself is not kept"),
        "created_at_us": (NOBODY, "rotation"),
        "expires_at_us": (NOBODY, "rotation"),
        "revoked_at_us": (NOBODY, "rotation"),
        "last_used_at_us": (USER, "to find keys that nobody uses"),
    },
    "changes": {
        "change_id": (NOBODY, "key"),
        "at_us": (NOBODY, "audit"),
        "who": (USER, "which key or account of the machine: audit"),
        "what": (NOBODY, "audit"),
        "subject": (CREATOR, "what was changed; may be a sponsorship: audit"),
        "detail": (CREATOR, "how: audit"),
    },
    "files": {
        "HOME/vectors": (CREATOR, "vectors by hash of the text: not to encode twice; by `forget`"),
        "HOME/readings": (CREATOR, "what rules read, by hash of the text; by `forget`"),
        "HOME/quarantine": (CREATOR, "rows set aside, raw, until the next reading; by `forget`"),
        "HOME/forgotten.txt": (CREATOR, "salted hashes of ids, for good: who is to be left out"),
        "HOME/metrics": (NOBODY, "counts without ids, while the service runs"),
        "the service's log": (USER, "id of the key that asked, no creator: keep it as you need"),
    },
}
_OUTCOME: dict[str, tuple[str, str]] = {
    "sponsorship_id": (CREATOR, "key; yours"),
    "creator_id": (CREATOR, "whose it is: to learn from"),
    "campaign_id": (NOBODY, "campaign reports"),
    "brand": (NOBODY, "to learn from, by brand"),
    "brief": (NOBODY, "to learn from"),
    "started_at_us": (CREATOR, "to learn from"),
    "resolved_at_us": (CREATOR, "to learn from"),
    "cost": (CREATOR, "campaign reports, prices"),
    "impressions": (CREATOR, "to learn from"),
    "clicks": (CREATOR, "to learn from"),
    "conversions": (CREATOR, "to learn from"),
    "revenue": (CREATOR, "campaign reports"),
    "post_id": (CREATOR, "which post it became"),
    "recommendation_id": (NOBODY, "which answer it came of"),
    "revision": (NOBODY, "corrections"),
    "received_at_us": (NOBODY, "corrections, retention"),
}
COLUMNS["outcomes"] = _OUTCOME
COLUMNS["outcome_history"] = _OUTCOME

TITLES = {
    "bundle": "A bundle: `HOME/bundles`, and MLflow's artifacts",
    "files": "Other files",
}
