-- The ledger of a platform as the first release made it (schema version 1).

CREATE TABLE applied (
    projection VARCHAR NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (projection)
);

CREATE TABLE audit (
    seq INTEGER NOT NULL,
    prev TEXT NOT NULL,
    hash TEXT NOT NULL,
    "row" TEXT NOT NULL,
    PRIMARY KEY (seq)
);

CREATE TABLE cases (
    case_id VARCHAR NOT NULL,
    rev INTEGER NOT NULL,
    digest TEXT NOT NULL,
    origin TEXT NOT NULL,
    state TEXT NOT NULL,
    consent TEXT NOT NULL,
    disease_id TEXT,
    disease_label TEXT NOT NULL,
    category TEXT NOT NULL,
    rare_feature FLOAT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (case_id),
    UNIQUE (seq)
);

CREATE TABLE classes (
    class_id VARCHAR NOT NULL,
    n_cases INTEGER NOT NULL,
    person_years FLOAT NOT NULL,
    incidence FLOAT NOT NULL,
    incidence_low FLOAT NOT NULL,
    incidence_high FLOAT NOT NULL,
    prior_mean FLOAT NOT NULL,
    prior_source TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (class_id)
);

CREATE TABLE decisions (
    decision_id VARCHAR NOT NULL,
    case_id TEXT NOT NULL,
    rev INTEGER NOT NULL,
    period_end FLOAT NOT NULL,
    outcome TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (decision_id)
);

CREATE INDEX decisions_by_case ON decisions (case_id);

CREATE TABLE events (
    event_id VARCHAR NOT NULL,
    case_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    at FLOAT NOT NULL,
    platform TEXT NOT NULL,
    user TEXT NOT NULL,
    parent_id TEXT,
    PRIMARY KEY (event_id)
)
 WITHOUT ROWID;

CREATE INDEX events_by_time ON events (at);

CREATE TABLE idem (
    caller VARCHAR NOT NULL,
    "key" VARCHAR NOT NULL,
    body_digest TEXT NOT NULL,
    response TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (caller, "key")
);

CREATE TABLE inbox (
    sender VARCHAR NOT NULL,
    delivery_id VARCHAR NOT NULL,
    kind TEXT NOT NULL,
    case_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    receipt TEXT NOT NULL,
    PRIMARY KEY (sender, delivery_id)
);

CREATE TABLE outbox (
    delivery_id VARCHAR NOT NULL,
    kind TEXT NOT NULL,
    case_id TEXT NOT NULL,
    peer TEXT NOT NULL,
    digest TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_at FLOAT NOT NULL,
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    lease_until FLOAT NOT NULL,
    reason TEXT NOT NULL,
    receipt TEXT,
    PRIMARY KEY (delivery_id)
);

CREATE INDEX outbox_by_state ON outbox (state, next_at);

CREATE TABLE peers (
    peer_id VARCHAR NOT NULL,
    linked INTEGER NOT NULL,
    agreed INTEGER NOT NULL,
    public_key TEXT NOT NULL,
    policy_epoch INTEGER NOT NULL,
    PRIMARY KEY (peer_id)
);

CREATE TABLE refreshes (
    case_id VARCHAR NOT NULL,
    refreshed_at FLOAT NOT NULL,
    PRIMARY KEY (case_id)
);

CREATE TABLE related (
    case_id VARCHAR NOT NULL,
    item_id VARCHAR NOT NULL,
    digest TEXT NOT NULL,
    item TEXT NOT NULL,
    PRIMARY KEY (case_id, item_id)
);

CREATE TABLE revisions (
    case_id VARCHAR NOT NULL,
    rev INTEGER NOT NULL,
    digest TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (case_id, rev)
);

PRAGMA user_version = 1;
