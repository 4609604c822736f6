mod shapes;

use shapes::{Circle, Shape, Square};

fn main() {
    let all: [Box<dyn Shape>; 2] = [Box::new(Square(3.0)), Box::new(Circle(2.0))];
    for shape in &all {
        println!("{}: {:.2}", shape.name(), shape.area());
    }
}
