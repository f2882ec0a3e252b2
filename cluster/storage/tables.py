"""The tables of the ledgers. A change of one is a migration, never an edit of what is stored."""

from typing import Final

from sqlalchemy import Column, Float, Index, Integer, MetaData, String, Table, Text

PLATFORM: Final = MetaData()
NETWORK: Final = MetaData()
REGISTRY: Final = MetaData()
TREND: Final = MetaData()


def _key(name: str) -> Column[str]:
    return Column(name, String, primary_key=True)


def _text(name: str, *, optional: bool = False) -> Column[str]:
    return Column(name, Text, nullable=optional)


def _number(name: str, *, optional: bool = False) -> Column[float]:
    return Column(name, Float, nullable=optional)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


# One platform ------------------------------------------------------------------------------------

cases = Table(
    "cases",
    PLATFORM,
    _key("case_id"),
    _count("rev"),
    _text("digest"),
    _text("origin"),  # the platform itself, or the one that it was received from
    _text("state"),  # active, withdrawn
    _text("consent"),  # share, private
    _text("disease_id", optional=True),
    _text("disease_label"),
    _text("category"),
    _number("rare_feature"),
    Column("seq", Integer, nullable=False, unique=True),  # order of changes, for projections
    Column("round", Integer, nullable=False, server_default="0"),  # of sharing; withdrawals so far
)
recalled = Table(
    "recalled",  # what others have taken back; nothing of it but this row is kept
    PLATFORM,
    _key("origin"),
    _key("case_id"),  # as it was received
    _count("round"),  # what was sent in an earlier one is not taken any more
    _count("seq"),  # in the order of changes of cases
    _number("at"),
)
named = Table(
    "named",  # which own cases others may keep beside theirs
    PLATFORM,
    _key("case_id"),
    _key("peer"),
)
revisions = Table(
    "revisions",
    PLATFORM,
    _key("case_id"),
    Column("rev", Integer, primary_key=True),
    _text("digest"),
    _text("document"),
)
classes = Table(
    "classes",
    PLATFORM,
    _key("class_id"),
    _count("n_cases"),
    _number("person_years"),
    _number("incidence"),
    _number("incidence_median", optional=True),
    _number("incidence_low"),
    _number("incidence_high"),
    _number("prior_mean"),
    _text("prior_source"),
    _text("published"),
    _text("reason"),
)
screenings = Table("screenings", PLATFORM, _key("platform_id"), _text("basis"))  # JSON
events = Table(
    "events",
    PLATFORM,
    _key("event_id"),
    _text("case_id"),
    _text("kind"),
    _number("at"),
    _text("platform"),
    _text("user"),
    _text("parent_id", optional=True),
    Index("events_by_time", "at"),
    sqlite_with_rowid=False,
)
decisions = Table(
    "decisions",
    PLATFORM,
    _key("decision_id"),  # of case, revision and period
    _text("case_id"),
    _count("rev"),
    _number("period_end"),
    _text("outcome"),  # upload, hold
    _text("record"),  # the whole decision as JSON
    Index("decisions_by_case", "case_id"),
)
approvals = Table(
    "approvals",  # of an operator, for the upload of a revision whose accesses have one origin
    PLATFORM,
    _key("case_id"),
    Column("rev", Integer, primary_key=True),
    _number("approved_at"),
)
outbox = Table(
    "outbox",
    PLATFORM,
    _key("delivery_id"),  # of what is sent and to whom
    _text("kind"),  # case, related, recall
    _text("case_id"),
    Column("round", Integer, nullable=False, server_default="0"),  # of the case, when it was queued
    _text("peer"),
    _text("digest"),  # of the payload
    _text("payload"),
    _text("state"),
    _count("attempts"),
    _number("next_at"),
    _text("owner"),
    _count("epoch"),
    _number("lease_until"),
    _text("reason"),
    _text("receipt", optional=True),
    Index("outbox_by_state", "state", "next_at"),
)
inbox = Table(
    "inbox",
    PLATFORM,
    _key("sender"),
    _key("delivery_id"),
    _text("kind"),
    _text("case_id"),
    _text("digest"),
    _text("receipt"),
)
peers = Table(
    "peers",
    PLATFORM,
    _key("peer_id"),
    _count("linked"),
    _count("agreed"),
    _text("public_key"),
    _count("policy_epoch"),
)
related = Table(
    "related",
    PLATFORM,
    _key("case_id"),
    _key("item_id"),
    _text("digest"),
    _text("item"),
)
answers = Table(
    "answers",
    PLATFORM,
    _key("case_id"),
    _key("source"),  # a platform as network:<id>, file, pubmed
    _number("answered_at"),
    _text("found"),  # JSON
)
idem = Table(
    "idem",
    PLATFORM,
    _key("caller"),
    _key("key"),
    _text("body_digest"),
    _text("response"),
    _count("seq"),  # order of the commands
)
audit = Table(
    "audit",
    PLATFORM,
    Column("seq", Integer, primary_key=True),
    _text("prev"),
    _text("hash"),
    _text("row"),
)
matchmakers = Table(
    "matchmakers",  # servers of the Matchmaker Exchange, and whether they may be answered and asked
    PLATFORM,
    _key("peer_id"),
    _count("agreed"),
    _text("url"),
    _text("token"),  # that the peer has given for questions to it; a secret
)
applied = Table("applied", PLATFORM, _key("projection"), _count("seq"))

PLATFORM_MIGRATIONS: Final = (
    "ALTER TABLE classes ADD COLUMN incidence_median FLOAT",
    "ALTER TABLE classes ADD COLUMN published TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE screenings (platform_id VARCHAR NOT NULL PRIMARY KEY, basis TEXT NOT NULL)",
    "CREATE TABLE answers (case_id VARCHAR NOT NULL, source VARCHAR NOT NULL, "
    "answered_at FLOAT NOT NULL, found TEXT NOT NULL, PRIMARY KEY (case_id, source))",
    "DROP TABLE refreshes",
    "CREATE TABLE approvals (case_id VARCHAR NOT NULL, rev INTEGER NOT NULL, "
    "approved_at FLOAT NOT NULL, PRIMARY KEY (case_id, rev))",
    "CREATE TABLE matchmakers (peer_id VARCHAR NOT NULL PRIMARY KEY, agreed INTEGER NOT NULL, "
    "url TEXT NOT NULL, token TEXT NOT NULL)",
    "ALTER TABLE cases ADD COLUMN round INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE outbox ADD COLUMN round INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE recalled (origin VARCHAR NOT NULL, case_id VARCHAR NOT NULL, "
    "round INTEGER NOT NULL, seq INTEGER NOT NULL, at FLOAT NOT NULL, "
    "PRIMARY KEY (origin, case_id))",
    "CREATE TABLE named (case_id VARCHAR NOT NULL, peer VARCHAR NOT NULL, "
    "PRIMARY KEY (case_id, peer))",
    "UPDATE answers SET answered_at = 0",  # all are asked anew, and note whom they named
)

# The network of platforms ------------------------------------------------------------------------

platforms = Table(
    "platforms",
    NETWORK,
    _key("platform_id"),
    _count("tag_version"),
    _text("tag"),  # JSON
    _text("public_key"),
)
tag_history = Table(
    "tag_history",
    NETWORK,
    _key("platform_id"),
    Column("tag_version", Integer, primary_key=True),
    _text("tag"),
)
links = Table(
    "links",
    NETWORK,
    _key("source"),
    _key("target"),
    _count("agreed"),
    _count("epoch"),  # grows with every change
)

remotes = Table(
    "remotes",  # platforms of other clusters
    NETWORK,
    _key("platform_id"),
    _text("card"),  # JSON
    _text("token"),  # that the peer has given for calling it; a secret
    _count("epoch"),  # grows with every change
)
tokens = Table(
    "tokens",  # of callers over HTTP
    NETWORK,
    _key("kid"),
    _text("card"),  # JSON
    _text("digest"),  # keyed; the secret itself is nowhere
    _number("revoked_at", optional=True),
)
audit.to_metadata(NETWORK)  # the same table, so that the same statements write and check it

NETWORK_MIGRATIONS: Final = (
    "CREATE TABLE tokens (kid VARCHAR NOT NULL PRIMARY KEY, card TEXT NOT NULL, "
    "digest TEXT NOT NULL, revoked_at FLOAT)",
    "CREATE TABLE audit (seq INTEGER NOT NULL PRIMARY KEY, prev TEXT NOT NULL, "
    'hash TEXT NOT NULL, "row" TEXT NOT NULL)',
    "CREATE TABLE remotes (platform_id VARCHAR NOT NULL PRIMARY KEY, card TEXT NOT NULL, "
    "token TEXT NOT NULL, epoch INTEGER NOT NULL)",
)

# Models, data sets and their lineage -------------------------------------------------------------

artefacts = Table(
    "artefacts",
    REGISTRY,
    _key("digest"),  # SHA-256 of the blob
    _text("kind"),  # trend_model, trend_windows, image_model …
    _text("parent", optional=True),  # the version it came from
    _text("card"),  # JSON
    _count("seq"),
)
channels = Table("channels", REGISTRY, _key("channel"), _text("digest"))
image_changes = Table(
    "image_changes",  # the history of image models; lines are added only
    REGISTRY,
    Column("seq", Integer, primary_key=True),
    _text("name"),
    _text("version"),
    _text("action"),  # pending, published, refused, retired, served
    _number("at"),
    _text("by"),
    _text("reason"),
)

REGISTRY_MIGRATIONS: Final = (
    "CREATE TABLE image_changes (seq INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, "
    'version TEXT NOT NULL, action TEXT NOT NULL, at FLOAT NOT NULL, "by" TEXT NOT NULL, '
    "reason TEXT NOT NULL)",
)

predictions = Table(
    "predictions",
    TREND,
    _key("model_version"),
    _key("inputs_digest"),
    _text("item_id"),
    _text("prediction"),  # JSON
)
