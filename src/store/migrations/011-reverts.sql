
-- A run that undoes another one, and how often a run was asked for.
alter table app.runs drop constraint runs_kind_check;
alter table app.runs add constraint runs_kind_check check (kind in ('changes', 'full', 'keys', 'baseline', 'revert'));
alter table app.runs add column reverts text;
alter table app.runs add column asks integer not null default 1;
