-- What a sync's model was made of when its last clean comparison ran: while it is the same, there is nothing to do.
create table app.inputs (
  -- The name under which the sync's plan and state are kept.
  state        text        primary key,
  token        text        not null,
  compared_at  timestamptz not null
);
