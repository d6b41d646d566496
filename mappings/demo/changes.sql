-- What happens in the business between the first and the second run.

-- 120 paying accounts pay more.
update marts.account_metrics set mrr_usd = mrr_usd + 5.50, seats = seats + 1
where account_id in (select account_id from marts.account_metrics where mrr_usd > 0 and account_id > 'A00100' order by account_id limit 120);

-- 35 paying accounts churn: they leave the segment.
update marts.account_metrics set mrr_usd = 0, churned_on = date '2026-11-23'
where account_id in (select account_id from marts.account_metrics where mrr_usd > 0 and account_id > 'A05000' order by account_id limit 35);

-- 40 free accounts start to pay: they join it.
update marts.account_metrics set plan = 'starter', mrr_usd = (9.90 * seats)::decimal(12, 2)
where account_id in (select account_id from marts.account_metrics where plan = 'free' and churned_on is null and account_id > 'A00100' order by account_id limit 40);

-- 60 people get another title, 25 another address, and 30 are new.
update marts.people set job_title = 'Head of something' where contact_id between 'C001001' and 'C001060';
update marts.people set email = 'new.' || email where contact_id between 'C002001' and 'C002025';
insert into marts.people
select * replace ('C' || lpad((900000 + row_number() over (order by contact_id))::varchar, 6, '0') as contact_id, 'joined.' || email as email)
from marts.people where contact_id between 'C003001' and 'C003030';

-- One of the bad rows is mended.
update marts.account_metrics set plan = 'starter' where account_id = 'A00011';
