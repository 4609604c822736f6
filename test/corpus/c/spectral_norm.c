#include <math.h>
#include <stdio.h>

enum { N = 100 };

static double element(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static void multiply(const double *v, double *out, int transposed) {
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++) sum += (transposed ? element(j, i) : element(i, j)) * v[j];
        out[i] = sum;
    }
}

static void multiply_both(const double *v, double *out) {
    double between[N];
    multiply(v, between, 0);
    multiply(between, out, 1);
}

int main(void) {
    double u[N], v[N], uv = 0, vv = 0;
    for (int i = 0; i < N; i++) u[i] = 1;
    for (int i = 0; i < 10; i++) {
        multiply_both(u, v);
        multiply_both(v, u);
    }
    for (int i = 0; i < N; i++) {
        uv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    printf("%.9f\n", sqrt(uv / vv));
    return 0;
}
