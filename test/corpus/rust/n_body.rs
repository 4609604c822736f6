use std::f64::consts::PI;

const SOLAR_MASS: f64 = 4.0 * PI * PI;
const DAYS: f64 = 365.24;

#[derive(Clone, Copy)]
struct Body {
    at: [f64; 3],
    speed: [f64; 3],
    mass: f64,
}

fn planet(at: [f64; 3], speed_a_day: [f64; 3], mass: f64) -> Body {
    Body { at, speed: speed_a_day.map(|v| v * DAYS), mass: mass * SOLAR_MASS }
}

fn difference(a: &Body, b: &Body) -> ([f64; 3], f64) {
    let d = [a.at[0] - b.at[0], a.at[1] - b.at[1], a.at[2] - b.at[2]];
    (d, d.iter().map(|x| x * x).sum())
}

fn energy(bodies: &[Body]) -> f64 {
    let mut total = 0.0;
    for (i, a) in bodies.iter().enumerate() {
        total += 0.5 * a.mass * a.speed.iter().map(|v| v * v).sum::<f64>();
        for b in &bodies[i + 1..] {
            total -= a.mass * b.mass / difference(a, b).1.sqrt();
        }
    }
    total
}

fn advance(bodies: &mut [Body], dt: f64) {
    for i in 0..bodies.len() {
        let (left, right) = bodies.split_at_mut(i + 1);
        let a = &mut left[i];
        for b in right {
            let (d, squared) = difference(a, b);
            let pull = dt / (squared * squared.sqrt());
            for k in 0..3 {
                a.speed[k] -= d[k] * b.mass * pull;
                b.speed[k] += d[k] * a.mass * pull;
            }
        }
    }
    for body in bodies {
        for k in 0..3 {
            body.at[k] += dt * body.speed[k];
        }
    }
}

fn main() {
    let mut bodies = [
        Body { at: [0.0; 3], speed: [0.0; 3], mass: SOLAR_MASS },
        planet(
            [4.84143144246472090e+00, -1.16032004402742839e+00, -1.03622044471123109e-01],
            [1.66007664274403694e-03, 7.69901118419740425e-03, -6.90460016972063023e-05],
            9.54791938424326609e-04,
        ),
        planet(
            [8.34336671824457987e+00, 4.12479856412430479e+00, -4.03523417114321381e-01],
            [-2.76742510726411899e-03, 4.99852801234917238e-03, 2.30417297573763929e-05],
            2.85885980666130812e-04,
        ),
        planet(
            [1.28943695621391310e+01, -1.51111514016986312e+01, -2.23307578892655734e-01],
            [2.96460137564761618e-03, 2.37847173959480950e-03, -2.96589568540237556e-05],
            4.36624404335156298e-05,
        ),
        planet(
            [1.53796971148509165e+01, -2.59193146099879641e+01, 1.79258772950371181e-01],
            [2.68067772490389322e-03, 1.62824170038242295e-03, -9.51592254519715870e-05],
            5.15138902046611451e-05,
        ),
    ];
    for k in 0..3 {
        let momentum: f64 = bodies.iter().map(|b| b.speed[k] * b.mass).sum();
        bodies[0].speed[k] = -momentum / SOLAR_MASS;
    }
    println!("{:.9}", energy(&bodies));
    for _ in 0..1000 {
        advance(&mut bodies, 0.01);
    }
    println!("{:.9}", energy(&bodies));
}
