"""What in this input made the model say that?"""
