SELECT 'berths: ' || (12;
