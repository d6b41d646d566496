-- What is old is found without looking at all.
create index runs_by_end on app.runs (ended_at) where ended_at is not null;
create index rejections_by_age on app.rejections (at);
