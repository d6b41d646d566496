-- How many requests went out under a credential, by the time they went. Of the credential there is a hash only.
create table app.pace (
  credential  text   not null,
  window_name text   not null,
  -- Milliseconds since 1970 at which the bucket begins.
  bucket      bigint not null,
  requests    bigint not null,
  primary key (credential, window_name, bucket)
);

-- Counts one request in all windows and gives 0; or counts none, and gives how many milliseconds to wait.
create function app.pace_enter(of_credential text, windows jsonb) returns double precision language plpgsql as $$
declare
  at bigint;
  one record;
  used bigint;
  oldest bigint;
  wait double precision := 0;
begin
  -- Two that ask at once are counted one after the other.
  perform pg_advisory_xact_lock(hashtextextended('pace ' || of_credential, 0));
  -- A crash of the database forgets the last moments at worst; to wait for its disk would cost more than the request.
  perform set_config('synchronous_commit', 'off', true);
  at := floor(extract(epoch from clock_timestamp()) * 1000);
  for one in
    select * from jsonb_to_recordset(windows) as w(name text, requests bigint, "spanMs" bigint, "bucketMs" bigint)
  loop
    delete from app.pace
    where credential = of_credential and window_name = one.name and bucket + one."bucketMs" + one."spanMs" <= at;
    select coalesce(sum(requests), 0), min(bucket) into used, oldest
    from app.pace where credential = of_credential and window_name = one.name;
    if used >= one.requests then
      wait := greatest(wait, oldest + one."bucketMs" + one."spanMs" - at, 1);
    end if;
  end loop;
  if wait > 0 then
    return wait;
  end if;
  insert into app.pace as known (credential, window_name, bucket, requests)
  select of_credential, w.name, at - at % w."bucketMs", 1
  from jsonb_to_recordset(windows) as w(name text, "bucketMs" bigint)
  on conflict (credential, window_name, bucket) do update set requests = known.requests + 1;
  return 0;
end
$$;
