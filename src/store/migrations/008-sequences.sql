-- Syncs of which no run begins until they are resumed.
create table app.paused (
  sync    text        primary key,
  author  text        not null,
  at      timestamptz not null default now()
);

-- Syncs that are to run because of how a run ended. Asks that come together are one run.
create table app.sequels (
  sync       text        not null,
  -- after: it follows another sync. again: its own run was cut short by what may pass.
  reason     text        not null check (reason in ('after', 'again')),
  -- again: it keeps the keys that were named for it.
  after_run  text        not null,
  kind       text        not null check (kind in ('changes', 'full', 'keys', 'baseline')),
  due_at     timestamptz not null default now(),
  primary key (sync, reason)
);
