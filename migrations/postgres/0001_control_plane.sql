-- The control plane, first form.
--
-- The same tables and names as in migrations/sqlite; overlap is refused by an exclusion constraint.
-- btree_gist comes with PostgreSQL's contrib modules (in Debian: with the package postgresql).

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE organisations (
    id             UUID NOT NULL PRIMARY KEY,
    slug           TEXT NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    zone           TEXT NOT NULL,
    label_provider TEXT NOT NULL,
    label_client   TEXT NOT NULL,
    listed         BOOLEAN NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL
);

CREATE TABLE members (
    id              UUID NOT NULL PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisations (id),
    role            TEXT NOT NULL CHECK (role IN ('admin', 'manager', 'provider', 'client', 'operator')),
    slug            TEXT NOT NULL,
    name            TEXT NOT NULL,
    email           TEXT NOT NULL,
    -- The address in lower case: what people sign in by.
    email_key       TEXT NOT NULL UNIQUE,
    title           TEXT NOT NULL,
    bio             TEXT NOT NULL,
    photo_url       TEXT,
    zone            TEXT NOT NULL,
    active          BOOLEAN NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    UNIQUE (organisation_id, slug),
    UNIQUE (organisation_id, id)
);

CREATE TABLE credentials (
    member_id     UUID NOT NULL PRIMARY KEY REFERENCES members (id) ON DELETE CASCADE,
    -- Argon2id in PHC string form.
    password_hash TEXT NOT NULL
);

CREATE TABLE services (
    id              UUID NOT NULL PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisations (id),
    slug            TEXT NOT NULL,
    name            TEXT NOT NULL,
    description     TEXT NOT NULL,
    kind            TEXT NOT NULL,
    durations       JSONB NOT NULL,
    price_amount    BIGINT,
    price_currency  TEXT,
    active          BOOLEAN NOT NULL,
    rules           JSONB NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    UNIQUE (organisation_id, slug),
    UNIQUE (organisation_id, id),
    CHECK ((price_amount IS NULL) = (price_currency IS NULL))
);

CREATE TABLE service_providers (
    organisation_id UUID NOT NULL,
    service_id      UUID NOT NULL,
    provider_id     UUID NOT NULL,
    position        BIGINT NOT NULL,
    PRIMARY KEY (service_id, provider_id),
    FOREIGN KEY (organisation_id, service_id) REFERENCES services (organisation_id, id),
    FOREIGN KEY (organisation_id, provider_id) REFERENCES members (organisation_id, id)
);

CREATE TABLE availability (
    provider_id UUID NOT NULL PRIMARY KEY REFERENCES members (id),
    zone        TEXT NOT NULL,
    schedules   JSONB NOT NULL,
    overrides   JSONB NOT NULL
);

-- The last number handed out in each organisation and year.
CREATE TABLE appointment_numbers (
    organisation_id UUID NOT NULL REFERENCES organisations (id),
    year            BIGINT NOT NULL,
    last            BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, year)
);

CREATE TABLE appointments (
    id              UUID NOT NULL PRIMARY KEY,
    organisation_id UUID NOT NULL,
    number_year     BIGINT NOT NULL,
    number_sequence BIGINT NOT NULL,
    state           TEXT NOT NULL
        CHECK (state IN ('scheduled', 'waiting', 'in_progress', 'completed', 'cancelled', 'no_show')),
    service_id      UUID NOT NULL,
    provider_id     UUID NOT NULL,
    client_name     TEXT NOT NULL,
    client_email    TEXT NOT NULL,
    client_phone    TEXT,
    client_zone     TEXT NOT NULL,
    starts_at       TIMESTAMPTZ NOT NULL,
    ends_at         TIMESTAMPTZ NOT NULL,
    -- The provider's time that it takes, buffers included, on the grid of five minutes.
    reserved_from   TIMESTAMPTZ NOT NULL,
    reserved_to     TIMESTAMPTZ NOT NULL,
    join_before     BIGINT NOT NULL,
    join_after      BIGINT NOT NULL,
    note            TEXT NOT NULL,
    locale          TEXT NOT NULL,
    client_code     TEXT NOT NULL,
    provider_code   TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    actual_start    TIMESTAMPTZ,
    actual_end      TIMESTAMPTZ,
    cancelled_at    TIMESTAMPTZ,
    cancelled_by    TEXT,
    cancel_reason   TEXT,
    absent          TEXT,
    version         BIGINT NOT NULL,
    UNIQUE (organisation_id, number_year, number_sequence),
    FOREIGN KEY (organisation_id, service_id) REFERENCES services (organisation_id, id),
    FOREIGN KEY (organisation_id, provider_id) REFERENCES members (organisation_id, id),
    CHECK (starts_at < ends_at),
    CHECK (reserved_from <= reserved_to),
    CHECK (date_bin('5 minutes', reserved_from, TIMESTAMPTZ 'epoch') = reserved_from),
    CHECK (date_bin('5 minutes', reserved_to, TIMESTAMPTZ 'epoch') = reserved_to),
    CHECK (reserved_to - reserved_from <= INTERVAL '7 days'),
    CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL)),
    CHECK ((cancelled_at IS NULL) = (cancelled_by IS NULL)),
    CHECK ((cancelled_at IS NULL) = (cancel_reason IS NULL)),
    CHECK ((state = 'no_show') = (absent IS NOT NULL)),
    -- No two appointments of one provider overlap, buffers included.
    CONSTRAINT appointments_no_overlap EXCLUDE USING gist (
        provider_id WITH =,
        tstzrange(reserved_from, reserved_to) WITH &&
    ) WHERE (state NOT IN ('cancelled', 'no_show'))
);

CREATE INDEX appointments_by_start ON appointments (organisation_id, starts_at, id);
CREATE INDEX appointments_by_provider ON appointments (provider_id, starts_at, id);
CREATE INDEX appointments_open ON appointments (ends_at)
    WHERE state IN ('scheduled', 'waiting', 'in_progress');

-- The codes of all join links: a code names one link in the whole installation.
CREATE TABLE join_codes (
    code           TEXT NOT NULL PRIMARY KEY,
    appointment_id UUID NOT NULL REFERENCES appointments (id) ON DELETE CASCADE,
    role           TEXT NOT NULL CHECK (role IN ('client', 'provider'))
);

CREATE TABLE idempotency_keys (
    organisation_id UUID NOT NULL REFERENCES organisations (id),
    key             TEXT NOT NULL,
    fingerprint     TEXT NOT NULL,
    appointment_id  UUID NOT NULL REFERENCES appointments (id) ON DELETE CASCADE,
    created_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (organisation_id, key)
);

CREATE TABLE consultations (
    id             UUID NOT NULL PRIMARY KEY,
    appointment_id UUID NOT NULL REFERENCES appointments (id) ON DELETE CASCADE,
    room           TEXT NOT NULL UNIQUE,
    created_at     TIMESTAMPTZ NOT NULL,
    started_at     TIMESTAMPTZ,
    ended_at       TIMESTAMPTZ,
    end_reason     TEXT,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

CREATE INDEX consultations_by_appointment ON consultations (appointment_id, created_at);

CREATE TABLE participants (
    id              UUID NOT NULL PRIMARY KEY,
    consultation_id UUID NOT NULL REFERENCES consultations (id) ON DELETE CASCADE,
    identity        TEXT NOT NULL,
    name            TEXT NOT NULL,
    role            TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('waiting', 'admitted', 'declined', 'left', 'removed')),
    waiting_since   TIMESTAMPTZ NOT NULL,
    admitted_at     TIMESTAMPTZ,
    device          JSONB,
    UNIQUE (consultation_id, identity)
);

CREATE TABLE stays (
    id              UUID NOT NULL PRIMARY KEY,
    consultation_id UUID NOT NULL REFERENCES consultations (id) ON DELETE CASCADE,
    participant_id  UUID REFERENCES participants (id),
    identity        TEXT NOT NULL,
    name            TEXT NOT NULL,
    role            TEXT NOT NULL,
    joined_at       TIMESTAMPTZ NOT NULL,
    left_at         TIMESTAMPTZ,
    device          JSONB,
    network         TEXT,
    CHECK (left_at IS NULL OR left_at >= joined_at)
);

CREATE INDEX stays_by_consultation ON stays (consultation_id, joined_at);

CREATE TABLE sessions (
    id         UUID NOT NULL PRIMARY KEY,
    -- SHA-256 of the secret in the cookie.
    hash       BYTEA NOT NULL UNIQUE,
    member_id  UUID NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL,
    seen_at    TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    user_agent TEXT NOT NULL
);

CREATE INDEX sessions_by_member ON sessions (member_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE magic_links (
    id         UUID NOT NULL PRIMARY KEY,
    member_id  UUID NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    purpose    TEXT NOT NULL CHECK (purpose IN ('sign_in', 'set_up')),
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at    TIMESTAMPTZ
);

CREATE INDEX magic_links_by_expiry ON magic_links (expires_at);

-- The outbox: written in the transaction of what causes the work.
CREATE TABLE jobs (
    id          UUID NOT NULL PRIMARY KEY,
    kind        TEXT NOT NULL,
    payload     TEXT NOT NULL,
    key         TEXT NOT NULL UNIQUE,
    state       TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'dead')),
    due_at      TIMESTAMPTZ NOT NULL,
    attempt     BIGINT NOT NULL DEFAULT 0,
    lease_until TIMESTAMPTZ,
    done_at     TIMESTAMPTZ,
    last_error  TEXT
);

CREATE INDEX jobs_due ON jobs (due_at, id) WHERE state = 'pending';

CREATE TABLE audit_events (
    seq             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              UUID NOT NULL UNIQUE,
    organisation_id UUID REFERENCES organisations (id),
    at              TIMESTAMPTZ NOT NULL,
    actor_kind      TEXT NOT NULL,
    actor_id        UUID,
    action          TEXT NOT NULL,
    subject_kind    TEXT NOT NULL,
    subject_id      UUID,
    details         TEXT NOT NULL
);

CREATE INDEX audit_events_by_organisation ON audit_events (organisation_id, seq);

-- What happened is not changed afterwards.
CREATE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END;
$$;

CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_append_only();

CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_append_only();
