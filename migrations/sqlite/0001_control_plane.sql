-- The control plane, first form.
--
-- Ids are blobs of 16 bytes. Instants are text in UTC with six decimals (2026-11-21T09:00:00.000000Z), so
-- that they sort as text. JSON is text.

CREATE TABLE organisations (
    id             BLOB    NOT NULL PRIMARY KEY,
    slug           TEXT    NOT NULL UNIQUE,
    name           TEXT    NOT NULL,
    zone           TEXT    NOT NULL,
    label_provider TEXT    NOT NULL,
    label_client   TEXT    NOT NULL,
    listed         BOOLEAN NOT NULL,
    created_at     TEXT    NOT NULL
);

CREATE TABLE members (
    id              BLOB    NOT NULL PRIMARY KEY,
    organisation_id BLOB    NOT NULL REFERENCES organisations (id),
    role            TEXT    NOT NULL CHECK (role IN ('admin', 'manager', 'provider', 'client', 'operator')),
    slug            TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    email           TEXT    NOT NULL,
    -- The address in lower case: what people sign in by.
    email_key       TEXT    NOT NULL UNIQUE,
    title           TEXT    NOT NULL,
    bio             TEXT    NOT NULL,
    photo_url       TEXT,
    zone            TEXT    NOT NULL,
    active          BOOLEAN NOT NULL,
    created_at      TEXT    NOT NULL,
    UNIQUE (organisation_id, slug),
    UNIQUE (organisation_id, id)
);

CREATE TABLE credentials (
    member_id     BLOB NOT NULL PRIMARY KEY REFERENCES members (id) ON DELETE CASCADE,
    -- Argon2id in PHC string form.
    password_hash TEXT NOT NULL
);

CREATE TABLE services (
    id              BLOB    NOT NULL PRIMARY KEY,
    organisation_id BLOB    NOT NULL REFERENCES organisations (id),
    slug            TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    description     TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    durations       TEXT    NOT NULL,
    price_amount    INTEGER,
    price_currency  TEXT,
    active          BOOLEAN NOT NULL,
    rules           TEXT    NOT NULL,
    created_at      TEXT    NOT NULL,
    UNIQUE (organisation_id, slug),
    UNIQUE (organisation_id, id),
    CHECK ((price_amount IS NULL) = (price_currency IS NULL))
);

CREATE TABLE service_providers (
    organisation_id BLOB    NOT NULL,
    service_id      BLOB    NOT NULL,
    provider_id     BLOB    NOT NULL,
    position        INTEGER NOT NULL,
    PRIMARY KEY (service_id, provider_id),
    FOREIGN KEY (organisation_id, service_id) REFERENCES services (organisation_id, id),
    FOREIGN KEY (organisation_id, provider_id) REFERENCES members (organisation_id, id)
);

CREATE TABLE availability (
    provider_id BLOB NOT NULL PRIMARY KEY REFERENCES members (id),
    zone        TEXT NOT NULL,
    schedules   TEXT NOT NULL,
    overrides   TEXT NOT NULL
);

-- The last number handed out in each organisation and year.
CREATE TABLE appointment_numbers (
    organisation_id BLOB    NOT NULL REFERENCES organisations (id),
    year            INTEGER NOT NULL,
    last            INTEGER NOT NULL,
    PRIMARY KEY (organisation_id, year)
);

CREATE TABLE appointments (
    id              BLOB    NOT NULL PRIMARY KEY,
    organisation_id BLOB    NOT NULL,
    number_year     INTEGER NOT NULL,
    number_sequence INTEGER NOT NULL,
    state           TEXT    NOT NULL
        CHECK (state IN ('scheduled', 'waiting', 'in_progress', 'completed', 'cancelled', 'no_show')),
    service_id      BLOB    NOT NULL,
    provider_id     BLOB    NOT NULL,
    client_name     TEXT    NOT NULL,
    client_email    TEXT    NOT NULL,
    client_phone    TEXT,
    client_zone     TEXT    NOT NULL,
    starts_at       TEXT    NOT NULL,
    ends_at         TEXT    NOT NULL,
    -- The provider's time that it takes, buffers included, on the grid of five minutes.
    reserved_from   TEXT    NOT NULL,
    reserved_to     TEXT    NOT NULL,
    join_before     INTEGER NOT NULL,
    join_after      INTEGER NOT NULL,
    note            TEXT    NOT NULL,
    locale          TEXT    NOT NULL,
    client_code     TEXT    NOT NULL,
    provider_code   TEXT    NOT NULL,
    created_at      TEXT    NOT NULL,
    actual_start    TEXT,
    actual_end      TEXT,
    cancelled_at    TEXT,
    cancelled_by    TEXT,
    cancel_reason   TEXT,
    absent          TEXT,
    version         INTEGER NOT NULL,
    UNIQUE (organisation_id, number_year, number_sequence),
    FOREIGN KEY (organisation_id, service_id) REFERENCES services (organisation_id, id),
    FOREIGN KEY (organisation_id, provider_id) REFERENCES members (organisation_id, id),
    CHECK (starts_at < ends_at),
    CHECK (reserved_from <= reserved_to),
    CHECK (unixepoch(reserved_from) % 300 = 0 AND unixepoch(reserved_to) % 300 = 0),
    -- grid_steps reaches this far: seven days.
    CHECK (unixepoch(reserved_to) - unixepoch(reserved_from) <= 604800),
    CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL)),
    CHECK ((cancelled_at IS NULL) = (cancelled_by IS NULL)),
    CHECK ((cancelled_at IS NULL) = (cancel_reason IS NULL)),
    CHECK ((state = 'no_show') = (absent IS NOT NULL))
);

CREATE INDEX appointments_by_start ON appointments (organisation_id, starts_at, id);
CREATE INDEX appointments_by_provider ON appointments (provider_id, starts_at, id);
CREATE INDEX appointments_open ON appointments (ends_at)
    WHERE state IN ('scheduled', 'waiting', 'in_progress');

-- The numbers 0 to 2015: the cells of five minutes in seven days.
CREATE TABLE grid_steps (step INTEGER NOT NULL PRIMARY KEY);
WITH RECURSIVE steps (step) AS (SELECT 0 UNION ALL SELECT step + 1 FROM steps WHERE step < 2015)
INSERT INTO grid_steps SELECT step FROM steps;

-- No two appointments of one provider overlap: each takes its cells of five minutes (counted from 1970),
-- and a cell can be taken once. The triggers keep the cells, whoever writes the appointment.
CREATE TABLE provider_cells (
    provider_id    BLOB    NOT NULL,
    cell           INTEGER NOT NULL,
    appointment_id BLOB    NOT NULL REFERENCES appointments (id),
    PRIMARY KEY (provider_id, cell)
) WITHOUT ROWID;

CREATE INDEX provider_cells_by_appointment ON provider_cells (appointment_id);

CREATE TRIGGER appointments_take_cells AFTER INSERT ON appointments
WHEN NEW.state NOT IN ('cancelled', 'no_show')
BEGIN
    INSERT INTO provider_cells (provider_id, cell, appointment_id)
    SELECT NEW.provider_id, unixepoch(NEW.reserved_from) / 300 + step, NEW.id
    FROM grid_steps
    WHERE step < (unixepoch(NEW.reserved_to) - unixepoch(NEW.reserved_from)) / 300;
END;

CREATE TRIGGER appointments_move_cells AFTER UPDATE OF state, provider_id, reserved_from, reserved_to ON appointments
WHEN OLD.provider_id IS NOT NEW.provider_id
    OR OLD.reserved_from IS NOT NEW.reserved_from
    OR OLD.reserved_to IS NOT NEW.reserved_to
    OR (OLD.state IN ('cancelled', 'no_show')) IS NOT (NEW.state IN ('cancelled', 'no_show'))
BEGIN
    DELETE FROM provider_cells WHERE appointment_id = NEW.id;
    INSERT INTO provider_cells (provider_id, cell, appointment_id)
    SELECT NEW.provider_id, unixepoch(NEW.reserved_from) / 300 + step, NEW.id
    FROM grid_steps
    WHERE NEW.state NOT IN ('cancelled', 'no_show')
        AND step < (unixepoch(NEW.reserved_to) - unixepoch(NEW.reserved_from)) / 300;
END;

CREATE TRIGGER appointments_free_cells BEFORE DELETE ON appointments
BEGIN
    DELETE FROM provider_cells WHERE appointment_id = OLD.id;
END;

-- The codes of all join links: a code names one link in the whole installation.
CREATE TABLE join_codes (
    code           TEXT NOT NULL PRIMARY KEY,
    appointment_id BLOB NOT NULL REFERENCES appointments (id) ON DELETE CASCADE,
    role           TEXT NOT NULL CHECK (role IN ('client', 'provider'))
);

CREATE TABLE idempotency_keys (
    organisation_id BLOB NOT NULL REFERENCES organisations (id),
    key             TEXT NOT NULL,
    fingerprint     TEXT NOT NULL,
    appointment_id  BLOB NOT NULL REFERENCES appointments (id) ON DELETE CASCADE,
    created_at      TEXT NOT NULL,
    PRIMARY KEY (organisation_id, key)
);

CREATE TABLE consultations (
    id             BLOB NOT NULL PRIMARY KEY,
    appointment_id BLOB NOT NULL REFERENCES appointments (id) ON DELETE CASCADE,
    room           TEXT NOT NULL UNIQUE,
    created_at     TEXT NOT NULL,
    started_at     TEXT,
    ended_at       TEXT,
    end_reason     TEXT,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

CREATE INDEX consultations_by_appointment ON consultations (appointment_id, created_at);

CREATE TABLE participants (
    id              BLOB NOT NULL PRIMARY KEY,
    consultation_id BLOB NOT NULL REFERENCES consultations (id) ON DELETE CASCADE,
    identity        TEXT NOT NULL,
    name            TEXT NOT NULL,
    role            TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('waiting', 'admitted', 'declined', 'left', 'removed')),
    waiting_since   TEXT NOT NULL,
    admitted_at     TEXT,
    device          TEXT,
    UNIQUE (consultation_id, identity)
);

CREATE TABLE stays (
    id              BLOB NOT NULL PRIMARY KEY,
    consultation_id BLOB NOT NULL REFERENCES consultations (id) ON DELETE CASCADE,
    participant_id  BLOB REFERENCES participants (id),
    identity        TEXT NOT NULL,
    name            TEXT NOT NULL,
    role            TEXT NOT NULL,
    joined_at       TEXT NOT NULL,
    left_at         TEXT,
    device          TEXT,
    network         TEXT,
    CHECK (left_at IS NULL OR left_at >= joined_at)
);

CREATE INDEX stays_by_consultation ON stays (consultation_id, joined_at);

CREATE TABLE sessions (
    id         BLOB NOT NULL PRIMARY KEY,
    -- SHA-256 of the secret in the cookie.
    hash       BLOB NOT NULL UNIQUE,
    member_id  BLOB NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    seen_at    TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    user_agent TEXT NOT NULL
);

CREATE INDEX sessions_by_member ON sessions (member_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE magic_links (
    id         BLOB NOT NULL PRIMARY KEY,
    member_id  BLOB NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    purpose    TEXT NOT NULL CHECK (purpose IN ('sign_in', 'set_up')),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at    TEXT
);

CREATE INDEX magic_links_by_expiry ON magic_links (expires_at);

-- The outbox: written in the transaction of what causes the work.
CREATE TABLE jobs (
    id          BLOB    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL,
    payload     TEXT    NOT NULL,
    key         TEXT    NOT NULL UNIQUE,
    state       TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'dead')),
    due_at      TEXT    NOT NULL,
    attempt     INTEGER NOT NULL DEFAULT 0,
    lease_until TEXT,
    done_at     TEXT,
    last_error  TEXT
);

CREATE INDEX jobs_due ON jobs (due_at, id) WHERE state = 'pending';

CREATE TABLE audit_events (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              BLOB    NOT NULL UNIQUE,
    organisation_id BLOB REFERENCES organisations (id),
    at              TEXT    NOT NULL,
    actor_kind      TEXT    NOT NULL,
    actor_id        BLOB,
    action          TEXT    NOT NULL,
    subject_kind    TEXT    NOT NULL,
    subject_id      BLOB,
    details         TEXT    NOT NULL
);

CREATE INDEX audit_events_by_organisation ON audit_events (organisation_id, seq);

-- What happened is not changed afterwards.
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
