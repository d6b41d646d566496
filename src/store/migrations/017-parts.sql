-- A large plan is sent in parts: by the worker that does the run, and by others that join it.
create table app.divisions (
  run_id   text     primary key references app.runs (id) on delete cascade,
  -- What the cells of the plan's rows are, as its own worker saw the model.
  columns  jsonb    not null,
  -- No part is begun any more.
  stopped  boolean  not null default false
);

create table app.parts (
  run_id      text         not null references app.divisions (run_id) on delete cascade,
  part_no     int          not null,
  from_seq    bigint       not null,
  to_seq      bigint       not null,
  -- All changes up to this one were about to be sent, or need not be.
  reached     bigint       not null,
  -- Rises with every worker that takes the part.
  fence       bigint       not null default 0,
  -- Until when the part is a worker's. Null: nobody's. Infinity: that of the run's own worker, who has the run's lease.
  expires_at  timestamptz,
  ended       boolean      not null default false,
  -- By those who joined.
  sent        jsonb        not null,
  primary key (run_id, part_no)
);
