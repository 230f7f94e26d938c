do $$
begin
    while exists (select from pg_subscription_rel where srsubstate <> 'r') loop
        perform pg_sleep(0.02);
    end loop;
end
$$
