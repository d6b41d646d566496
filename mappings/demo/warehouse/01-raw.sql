-- A subscription business, made from numbers alone: hash() is the only dice, so every machine gets the same rows.
create schema if not exists raw;
create or replace table raw.clock as select date '2026-11-23' as today;

-- A number from 0 to 9999 for a row and a purpose.
create or replace macro roll(id, purpose) as (hash(id::varchar || '/' || purpose) % 10000)::integer;
create or replace macro pick(list, id, purpose) as list[1 + roll(id, purpose) % len(list)];

create or replace table raw.accounts as
with named as (
  select id,
    pick(['Acorn','Bright','Cedar','Delta','Ember','Fjord','Granite','Harbor','Indigo','Juniper','Kestrel','Lumen','Maple','Nimbus','Orchid','Pioneer','Quartz','River','Summit','Tundra'], id, 'first') as first_word,
    pick(['Analytics','Bakeries','Care','Dental','Energy','Foods','Gardens','Health','Insurance','Journeys','Kitchens','Logistics','Media','Networks','Optics','Payments','Robotics','Schools','Textiles','Ventures'], id, 'second') as second_word
  from range(1, 10001) t(id)
)
select 'A' || lpad(id::varchar, 5, '0') as account_id,
  first_word || ' ' || second_word || ' ' || id as name,
  lower(first_word || '-' || second_word || '-' || id) || '.example' as domain,
  pick(['COMPUTER_SOFTWARE','FINANCIAL_SERVICES','HOSPITAL_HEALTH_CARE','RETAIL','LOGISTICS_AND_SUPPLY_CHAIN','EDUCATION_MANAGEMENT'], id, 'industry') as industry,
  pick(['Germany','France','Spain','Brazil','Japan','Kenya','India','Canada','United States','Netherlands'], id, 'country') as country,
  (select today from raw.clock) - (30 + roll(id, 'age') % 1500) as signed_up_on,
  roll(id, 'trial') < 300 as is_trial
from named;

create or replace table raw.subscriptions as
select account_id,
  case when roll(account_id, 'plan') < 2500 then 'free' when roll(account_id, 'plan') < 6500 then 'starter'
    when roll(account_id, 'plan') < 9200 then 'growth' else 'enterprise' end as plan,
  1 + roll(account_id, 'seats') % 120 as seats,
  case when roll(account_id, 'churn') < 700 then (select today from raw.clock) - roll(account_id, 'churned') % 300 end as churned_on
from raw.accounts;

create or replace table raw.prices as
select * from (values ('free', 0.00), ('starter', 9.90), ('growth', 24.50), ('enterprise', 49.00)) t(plan, usd_a_seat);

create or replace table raw.contacts as
select 'C' || lpad(id::varchar, 6, '0') as contact_id,
  'A' || lpad((1 + roll(id, 'account'))::varchar, 5, '0') as account_id,
  pick(['Amina','Björn','Carla','Daichi','Elena','Farid','Grace','Hugo','Ines','Jamal','Kaito','Lucía','Mateo','Nadia','Olu','Priya','Quinn','Rosa','Sven','Thu'], id, 'given') as first_name,
  pick(['Adeyemi','Bauer','Costa','Dubois','Eriksen','Fischer','García','Haddad','Ivanova','Jansen','Kimura','López','Müller','Nakamura','O''Brien','Patel','Rossi','Sato','Tanaka','Weber'], id, 'family') as last_name,
  pick(['Owner','Finance lead','Engineer','Support agent','Analyst', null], id, 'role') as job_title
from range(1, 25001) t(id);

create or replace table raw.monthly_metrics as
select account_id, month::date as month, 20 + roll(account_id || month, 'logins') % 400 as logins, roll(account_id || month, 'tickets') % 12 as tickets
from raw.accounts, generate_series(timestamp '2025-12-01', timestamp '2026-11-01', interval 1 month) m(month);
