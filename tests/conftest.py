"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# A busy machine is slow at any moment: no example fails for the time it took.
settings.register_profile("sage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sage")
