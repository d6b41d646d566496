-- Access tokens with the refresh tokens that replace them, sealed: by a hash of the grant, so that all processes share one.
create table app.tokens (
  name              text        primary key,
  version           integer     not null default 0,
  key_id            text,
  wrapped           bytea,
  body              bytea,
  updated_at        timestamptz not null default now(),
  -- Who asks for the next one, and until when nobody else does.
  asker             text,
  asked_until       timestamptz
);
