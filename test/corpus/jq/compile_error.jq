"before", harbour(
