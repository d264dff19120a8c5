"""The builder: a draft is drawn, and changed by one operation at a time, each of which can be taken back."""
