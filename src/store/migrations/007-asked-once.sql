-- Asks for runs that say who asked and under which key, so that one that is repeated is the same run.
create table app.asked_once (
  actor   text        not null,
  key     text        not null,
  -- A hash of what was asked for.
  ask     text        not null,
  run_id  text        not null references app.runs (id) on delete cascade,
  at      timestamptz not null default now(),
  primary key (actor, key)
);

create index asked_once_by_age on app.asked_once (at);
