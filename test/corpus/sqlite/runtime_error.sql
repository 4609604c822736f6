SELECT 'before';
SELECT berths FROM harbour;
