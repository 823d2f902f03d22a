from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("outbox", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="outboxevent",
            name="sequence",
            field=models.BigIntegerField(null=True),
        ),
        migrations.CreateModel(
            name="LastSequence",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("aggregatetype", models.CharField(max_length=255)),
                ("aggregateid", models.CharField(max_length=255)),
                ("sequence", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("aggregatetype", "aggregateid"), name="last_sequence_once"
                    )
                ],
            },
        ),
    ]
