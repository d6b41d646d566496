-- Rows that cannot be delivered, on purpose. README.md lists them.

-- A plan that HubSpot's property has no option for.
update marts.account_metrics set plan = 'legacy-2019', mrr_usd = 19.00, churned_on = null where account_id in ('A00011', 'A00012', 'A00013');
-- Text where HubSpot's property is a number.
update marts.account_metrics set forecast_usd = 'ask Dana', mrr_usd = 19.00, churned_on = null where account_id in ('A00021', 'A00022');
-- A name longer than HubSpot keeps.
update marts.account_metrics set name = repeat('x', 70000), mrr_usd = 19.00, churned_on = null where account_id = 'A00031';
-- A row without a key, and a key that occurs twice.
insert into marts.account_metrics select * replace (null as account_id, 'Lost and Found' as name, 19.00 as mrr_usd) from marts.account_metrics where account_id = 'A00041';
update marts.account_metrics set mrr_usd = 19.00, churned_on = null where account_id = 'A00042';
insert into marts.account_metrics select * replace ('Twin of ' || name as name) from marts.account_metrics where account_id = 'A00042';

-- Addresses that HubSpot refuses.
update marts.people set email = 'not an address' where contact_id = 'C000011';
update marts.people set email = 'nobody@' where contact_id = 'C000012';
-- No address at all.
update marts.people set email = null where contact_id = 'C000013';
-- Two people with one address.
update marts.people set email = 'shared@acorn.example' where contact_id in ('C000021', 'C000022');
