-- What others are to be told of runs. Kept for a while after, to show what became of each.
create table app.notices (
  -- The same for every attempt, so that who gets it twice can tell.
  id            text        primary key default 'msg_' || replace(gen_random_uuid()::text, '-', ''),
  notification  text        not null,
  run_id        text        not null references app.runs (id) on delete cascade,
  event         text        not null,
  -- Of the run when it came to this: a run that is held twice is told of twice, one that is settled twice once.
  fence         bigint      not null,
  at            timestamptz not null default now(),
  attempts      int         not null default 0,
  -- Null: delivered, or given up.
  due_at        timestamptz default now(),
  delivered_at  timestamptz,
  failure       text,
  unique (notification, run_id, event, fence)
);

create index notices_due on app.notices (due_at) where due_at is not null;
create index notices_by_age on app.notices (at);
