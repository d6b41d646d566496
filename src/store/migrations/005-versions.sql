-- Every version that a document ever had, so that who changed what is known and can be undone.
create table app.document_versions (
  kind        text        not null,
  name        text        not null,
  version     bigint      not null,
  -- Null: the document was deleted.
  body        json,
  managed_by  text,
  author      text        not null,
  at          timestamptz not null default now(),
  primary key (kind, name, version)
);

insert into app.document_versions (kind, name, version, body, managed_by, author, at)
select kind, name, version, body, managed_by, 'unknown', updated_at from app.documents;
