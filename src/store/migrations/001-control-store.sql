create table app.documents (
  kind        text        not null,
  name        text        not null,
  -- json, not jsonb: documents come back as they were written, fields in their order.
  body        json        not null,
  version     bigint      not null,
  managed_by  text,
  updated_at  timestamptz not null default now(),
  primary key (kind, name)
);

create table app.runs (
  id               text        primary key,
  sync             text        not null,
  kind             text        not null check (kind in ('changes', 'full')),
  trigger          text        not null,
  status           text        not null check (status in
    ('queued', 'planning', 'held', 'sending', 'committing', 'succeeded', 'partial', 'failed', 'cancelled')),
  -- A person let it pass the gate: it goes on with the plan that it has.
  released         boolean     not null default false,
  cancel_requested boolean     not null default false,
  counts           jsonb       not null,
  failure          jsonb,
  gate             jsonb,
  -- The sync and all that it refers to, as it was when the run was asked for.
  spec             json        not null,
  -- Of the lease under which it was claimed last; 0 before.
  fence            bigint      not null default 0,
  worker           text,
  created_at       timestamptz not null default now(),
  started_at       timestamptz,
  ended_at         timestamptz
);

-- Asks for a run that come before it begins are one run.
create unique index runs_one_waiting on app.runs (sync) where status = 'queued' and not released;
create index runs_by_sync on app.runs (sync, id);
create index runs_open on app.runs (sync) where ended_at is null;

-- One row for each sync that ever ran: who may write for it, and the fence, which only ever rises.
create table app.leases (
  sync        text   primary key,
  fence       bigint not null,
  run_id      text,
  worker      text,
  lease_ms    int,
  expires_at  timestamptz
);

create table app.journal (
  run_id    text   not null references app.runs (id) on delete cascade,
  entry_no  bigint not null generated always as identity,
  body      bytea  not null,
  primary key (run_id, entry_no)
);

create table app.rejections (
  run_id   text        not null references app.runs (id) on delete cascade,
  seq      bigint      not null,
  sync     text        not null,
  row_key  text        not null,
  kind     text        not null check (kind in ('rejected', 'invalid')),
  code     text        not null,
  message  text        not null,
  field    text,
  at       timestamptz not null default now(),
  primary key (run_id, seq)
);

create index rejections_by_code on app.rejections (run_id, code, seq);

create table app.schedules (
  sync           text        primary key,
  -- As the sync's document has it: when it changes, the next time is reckoned anew.
  definition     jsonb       not null,
  next_at        timestamptz not null,
  -- Whoever starts the run that is due has until then to do so.
  taken_until    timestamptz
);
