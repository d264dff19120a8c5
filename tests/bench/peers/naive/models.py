from django.db import models


class NaiveEnrolment(models.Model):
    contact = models.ForeignKey("contacts.Contact", on_delete=models.CASCADE, related_name="+")
    step = models.CharField(max_length=100)
    seq = models.IntegerField(default=0)
    state = models.CharField(max_length=20, default="active", db_index=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "naive"


class NaiveLog(models.Model):
    enrolment = models.ForeignKey(NaiveEnrolment, on_delete=models.CASCADE, related_name="log")
    seq = models.IntegerField()
    step = models.CharField(max_length=100)
    port = models.CharField(max_length=100)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "naive"
