-- The models, as dbt would build them.
create schema if not exists marts;

create or replace view marts.account_health as
select account_id,
  least(100, greatest(0, round(40 + avg(logins) / 6 - avg(tickets) * 3)))::integer as health_score,
  sum(logins)::bigint as logins_12_months,
  (timestamptz '2026-11-23 00:00:00+00' - to_minutes(roll(account_id, 'seen') * 7)) as last_seen_at
from raw.monthly_metrics group by account_id;

create or replace table marts.account_metrics as
select a.account_id, a.name, a.domain, a.industry, a.country, s.plan::varchar as plan, s.seats,
  case when s.churned_on is null then (p.usd_a_seat * s.seats)::decimal(12, 2) else 0.00 end as mrr_usd,
  -- Text, because a forecast is sometimes a remark.
  (round(p.usd_a_seat * s.seats * 12, 2))::varchar as forecast_usd,
  h.health_score, h.last_seen_at, a.signed_up_on as customer_since, s.churned_on, a.is_trial,
  pick(['north','south','east','west', null], a.account_id, 'territory') as territory
from raw.accounts a join raw.subscriptions s using (account_id) join raw.prices p using (plan) join marts.account_health h using (account_id);

create or replace table marts.people as
select c.contact_id, c.account_id, c.first_name, c.last_name, c.job_title,
  lower(strip_accents(c.first_name) || '.' || replace(strip_accents(c.last_name), '''', '') || '.' || c.contact_id) || '@' || a.domain as email,
  m.plan, m.health_score, m.mrr_usd
from raw.contacts c join raw.accounts a using (account_id) join marts.account_metrics m using (account_id);
