-- A small shop: a foreign key, indexes, an identity and a sequence.
SET ROLE shop_owner;
CREATE TABLE public.customers (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    balance numeric(12, 2) NOT NULL DEFAULT 0
);
CREATE SEQUENCE public.invoice_number START 1000;
CREATE TABLE public.orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer bigint NOT NULL REFERENCES public.customers (id),
    invoice bigint NOT NULL DEFAULT nextval('public.invoice_number') UNIQUE,
    placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    total numeric(12, 2) NOT NULL,
    note text
);
CREATE INDEX orders_by_customer ON public.orders (customer, placed_at);
INSERT INTO public.customers (id, name)
SELECT n, 'Customer ' || n FROM generate_series(1, 2000) AS n;
INSERT INTO public.orders (customer, total, note)
SELECT 1 + n % 2000, (n * 7919 % 100000) / 100.0, repeat(md5(n::text), 6)
  FROM generate_series(1, 60000) AS n;
ANALYZE public.customers, public.orders;
