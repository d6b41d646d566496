-- Syncs of which no run begins until they are resumed.
create table app.paused (
  sync    text        primary key,
  author  text        not null,
  at      timestamptz not null default now()
);

-- Syncs that are to run because the one that they follow has ended. One row each: asks that come together are one run.
create table app.sequels (
  sync       text        primary key,
  after_run  text        not null,
  at         timestamptz not null default now()
);
