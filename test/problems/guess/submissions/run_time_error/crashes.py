print(500, flush=True)
answer = input()
raise ValueError(answer)
