alter table app.runs drop constraint runs_kind_check;
alter table app.runs add constraint runs_kind_check check (kind in ('changes', 'full', 'keys'));
-- How much room the keys take that were named for the run so far; past a bound the run becomes a full one.
alter table app.runs add column named int not null default 0;

-- Rows that are to be sent whatever is known of them, kept until the run that has taken them ends.
create table app.run_keys (
  run_id  text not null references app.runs (id) on delete cascade,
  -- The texts of the key columns, as a JSON array.
  key     text not null,
  primary key (run_id, key)
);

-- The address of each trigger's webhook. It stays the same when its document is edited.
create table app.hooks (
  trigger  text not null primary key,
  id       text not null unique
);

-- Deliveries that have asked for a run, so that one that is repeated does not ask again.
create table app.deliveries (
  trigger  text        not null,
  id       text        not null,
  at       timestamptz not null default now(),
  primary key (trigger, id)
);

create index deliveries_by_age on app.deliveries (at);
