import math

SOLAR_MASS = 4 * math.pi**2
DAYS = 365.24

# position, velocity in units a year, mass
BODIES = [
    ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], SOLAR_MASS),
    (
        [4.84143144246472090e00, -1.16032004402742839e00, -1.03622044471123109e-01],
        [1.66007664274403694e-03 * DAYS, 7.69901118419740425e-03 * DAYS, -6.90460016972063023e-05 * DAYS],
        9.54791938424326609e-04 * SOLAR_MASS,
    ),
    (
        [8.34336671824457987e00, 4.12479856412430479e00, -4.03523417114321381e-01],
        [-2.76742510726411899e-03 * DAYS, 4.99852801234917238e-03 * DAYS, 2.30417297573763929e-05 * DAYS],
        2.85885980666130812e-04 * SOLAR_MASS,
    ),
    (
        [1.28943695621391310e01, -1.51111514016986312e01, -2.23307578892655734e-01],
        [2.96460137564761618e-03 * DAYS, 2.37847173959480950e-03 * DAYS, -2.96589568540237556e-05 * DAYS],
        4.36624404335156298e-05 * SOLAR_MASS,
    ),
    (
        [1.53796971148509165e01, -2.59193146099879641e01, 1.79258772950371181e-01],
        [2.68067772490389322e-03 * DAYS, 1.62824170038242295e-03 * DAYS, -9.51592254519715870e-05 * DAYS],
        5.15138902046611451e-05 * SOLAR_MASS,
    ),
]
PAIRS = [(a, b) for i, a in enumerate(BODIES) for b in BODIES[i + 1 :]]


def rest_sun():
    for axis in range(3):
        momentum = sum(velocity[axis] * mass for _, velocity, mass in BODIES)
        BODIES[0][1][axis] = -momentum / SOLAR_MASS


def energy():
    total = 0.0
    for _, v, mass in BODIES:
        total += 0.5 * mass * (v[0] * v[0] + v[1] * v[1] + v[2] * v[2])
    for (p, _, m), (q, _, n) in PAIRS:
        total -= m * n / math.dist(p, q)
    return total


def advance(dt):
    for (p, v, m), (q, w, n) in PAIRS:
        dx, dy, dz = p[0] - q[0], p[1] - q[1], p[2] - q[2]
        squared = dx * dx + dy * dy + dz * dz
        pull = dt / (squared * math.sqrt(squared))
        v[0] -= dx * n * pull
        v[1] -= dy * n * pull
        v[2] -= dz * n * pull
        w[0] += dx * m * pull
        w[1] += dy * m * pull
        w[2] += dz * m * pull
    for p, v, _ in BODIES:
        for axis in range(3):
            p[axis] += dt * v[axis]


rest_sun()
print(f"{energy():.9f}")
for _ in range(1000):
    advance(0.01)
print(f"{energy():.9f}")
