-- Yesterday's figures, which nobody changes any more.
CREATE TABLE public.visits (
    day date,
    page integer,
    visitors integer NOT NULL,
    PRIMARY KEY (day, page)
);
INSERT INTO public.visits
SELECT date '2026-01-01' + n / 100, n % 100, n * 7919 % 1000 FROM generate_series(0, 29999) AS n;
GRANT SELECT ON public.visits TO mover;
ANALYZE public.visits;
