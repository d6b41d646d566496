-- Who may use the API. Of a key only its hash is here.
create table app.keys (
  id            text        primary key,
  name          text        not null,
  scope         text        not null check (scope in ('read', 'run', 'write', 'admin')),
  hash          text        not null,
  created_by    text        not null,
  created_at    timestamptz not null default now(),
  expires_at    timestamptz,
  revoked_at    timestamptz,
  last_used_at  timestamptz
);

-- What was changed, or refused, over the API.
create table app.audit (
  entry_no  bigint      not null generated always as identity primary key,
  at        timestamptz not null default now(),
  -- The key's id and name, or what stands for it.
  actor     text        not null,
  address   text        not null,
  -- Method and path, without the query.
  action    text        not null,
  status    int         not null,
  -- What came of it, where there is more to say.
  detail    jsonb
);

create index audit_by_time on app.audit (at);
