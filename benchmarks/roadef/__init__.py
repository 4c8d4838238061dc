"""The ROADEF/EURO 2012 machine reassignment problem, stated in the product's algebra."""
