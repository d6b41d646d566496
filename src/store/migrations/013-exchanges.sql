
-- A few of a run's requests, without values.
create table app.exchanges (
  run_id   text        not null,
  no       bigint      generated always as identity,
  at       timestamptz not null,
  method   text        not null,
  path     text        not null,
  status   integer,
  ms       integer     not null,
  request  text,
  answer   text,
  primary key (run_id, no)
);
create index exchanges_at on app.exchanges (at);
