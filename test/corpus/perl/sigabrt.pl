CORE::dump();
