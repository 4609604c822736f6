#include <math.h>
#include <stdio.h>

#define BODIES 5
#define PI 3.141592653589793
#define SOLAR_MASS (4 * PI * PI)
#define DAYS 365.24

typedef struct {
    double at[3], speed[3], mass;
} body;

static body bodies[BODIES] = {
    {{0, 0, 0}, {0, 0, 0}, SOLAR_MASS},
    {{4.84143144246472090e+00, -1.16032004402742839e+00, -1.03622044471123109e-01},
     {1.66007664274403694e-03 * DAYS, 7.69901118419740425e-03 * DAYS, -6.90460016972063023e-05 * DAYS},
     9.54791938424326609e-04 * SOLAR_MASS},
    {{8.34336671824457987e+00, 4.12479856412430479e+00, -4.03523417114321381e-01},
     {-2.76742510726411899e-03 * DAYS, 4.99852801234917238e-03 * DAYS, 2.30417297573763929e-05 * DAYS},
     2.85885980666130812e-04 * SOLAR_MASS},
    {{1.28943695621391310e+01, -1.51111514016986312e+01, -2.23307578892655734e-01},
     {2.96460137564761618e-03 * DAYS, 2.37847173959480950e-03 * DAYS, -2.96589568540237556e-05 * DAYS},
     4.36624404335156298e-05 * SOLAR_MASS},
    {{1.53796971148509165e+01, -2.59193146099879641e+01, 1.79258772950371181e-01},
     {2.68067772490389322e-03 * DAYS, 1.62824170038242295e-03 * DAYS, -9.51592254519715870e-05 * DAYS},
     5.15138902046611451e-05 * SOLAR_MASS},
};

static double distance(const body *a, const body *b, double d[3]) {
    double squared = 0;
    for (int k = 0; k < 3; k++) {
        d[k] = a->at[k] - b->at[k];
        squared += d[k] * d[k];
    }
    return sqrt(squared);
}

static void rest_sun(void) {
    for (int k = 0; k < 3; k++) {
        double momentum = 0;
        for (int i = 0; i < BODIES; i++) momentum += bodies[i].speed[k] * bodies[i].mass;
        bodies[0].speed[k] = -momentum / SOLAR_MASS;
    }
}

static double energy(void) {
    double total = 0, d[3];
    for (int i = 0; i < BODIES; i++) {
        const body *a = &bodies[i];
        for (int k = 0; k < 3; k++) total += 0.5 * a->mass * a->speed[k] * a->speed[k];
        for (int j = i + 1; j < BODIES; j++) total -= a->mass * bodies[j].mass / distance(a, &bodies[j], d);
    }
    return total;
}

static void advance(double dt) {
    double d[3];
    for (int i = 0; i < BODIES; i++) {
        for (int j = i + 1; j < BODIES; j++) {
            body *a = &bodies[i], *b = &bodies[j];
            double r = distance(a, b, d), pull = dt / (r * r * r);
            for (int k = 0; k < 3; k++) {
                a->speed[k] -= d[k] * b->mass * pull;
                b->speed[k] += d[k] * a->mass * pull;
            }
        }
    }
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++) bodies[i].at[k] += dt * bodies[i].speed[k];
}

int main(void) {
    rest_sun();
    printf("%.9f\n", energy());
    for (int i = 0; i < 1000; i++) advance(0.01);
    printf("%.9f\n", energy());
    return 0;
}
