console.log("before");
throw new Error("the harbour is closed");
