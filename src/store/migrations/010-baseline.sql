alter table app.runs drop constraint runs_kind_check;
alter table app.runs add constraint runs_kind_check check (kind in ('changes', 'full', 'keys', 'baseline'));
