"""`sage bench codec`: how small attention state gets, and what that costs.

points      every way to keep state: as it comes back, and the bytes that it takes
vae         a small autoencoder as one more codec
control     a model with large key biases, on which rounding turned keys ruins everything
measure     what a point costs and saves
report      the tables and the plot
"""
