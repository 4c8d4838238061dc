"""`python -m balancer` is `balancer`."""

from balancer.cli import main

if __name__ == "__main__":
    main()
