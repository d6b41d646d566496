
-- Secrets that documents name: each in an envelope, under a key that is not here.
create table app.secrets (
  name        text        primary key,
  version     integer     not null default 1,
  key_id      text        not null,
  wrapped     bytea       not null,
  body        bytea       not null,
  author      text        not null,
  updated_at  timestamptz not null default now()
);
