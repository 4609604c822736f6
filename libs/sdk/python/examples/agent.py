"""The loop of an agent: it writes a program, runs its test, and mends the program until the test passes."""

from drydock import Sandbox

# In place of a model: each answer is the next try.
TRIES = ["def add(a, b): return a", "def add(a, b): return a + b"]
TEST = 'from program import add\nassert add(2, 3) == 5, "add(2, 3) is not 5"\nprint("passed")\n'

with Sandbox.create("python", lifetime=600) as sandbox:
    sandbox.files.write("test.py", TEST)
    for number, program in enumerate(TRIES, start=1):
        sandbox.files.write("program.py", program)
        result = sandbox.commands.run(["python3", "test.py"], timeout=30)
        shown = result.stdout if result.success else result.stderr.strip().splitlines()[-1]
        print(f"try {number}: {shown.strip()}")
        if result.success:
            break
