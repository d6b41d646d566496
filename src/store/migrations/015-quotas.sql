-- What vendors said is left of a limit under a credential, whoever used the rest; and until when they asked to wait.
create table app.quotas (
  credential  text        not null,
  name        text        not null,
  -- No more than so many requests go out until then.
  requests    bigint      not null,
  until       timestamptz not null,
  primary key (credential, name)
);

-- Notes what a vendor has said last: [{ name, requests, forMs }].
create function app.pace_heard(of_credential text, told jsonb) returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('pace ' || of_credential, 0));
  perform set_config('synchronous_commit', 'off', true);
  delete from app.quotas where credential = of_credential and until <= clock_timestamp();
  insert into app.quotas (credential, name, requests, until)
  select of_credential, t.name, t.requests, clock_timestamp() + t."forMs" * interval '1 millisecond'
  from jsonb_to_recordset(told) as t(name text, requests bigint, "forMs" double precision)
  on conflict (credential, name) do update set requests = excluded.requests, until = excluded.until;
end
$$;

-- Counts one request in all windows, and in what is left of quotas, and gives 0; or counts none, and gives how many milliseconds to wait.
create or replace function app.pace_enter(of_credential text, windows jsonb) returns double precision language plpgsql as $$
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
  select greatest(wait, max(extract(epoch from until - clock_timestamp()) * 1000)) into wait
  from app.quotas where credential = of_credential and requests <= 0 and until > clock_timestamp();
  if wait > 0 then
    return wait;
  end if;
  insert into app.pace as known (credential, window_name, bucket, requests)
  select of_credential, w.name, at - at % w."bucketMs", 1
  from jsonb_to_recordset(windows) as w(name text, "bucketMs" bigint)
  on conflict (credential, window_name, bucket) do update set requests = known.requests + 1;
  update app.quotas set requests = requests - 1 where credential = of_credential and until > clock_timestamp();
  return 0;
end
$$;
